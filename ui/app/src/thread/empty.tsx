/** Before the first message: a greeting, what this is, and things to try. */
import { useId } from "react";
import type { Conversation } from "../chat/conversation";
import { useStore } from "../kit/store";
import { me } from "../me";
import { pageContext } from "../page-context";
import { ModelNote } from "../shell/model-note";
import { strings } from "../strings";
import type { PageContext } from "../wire";
import { InView } from "./in-view";

interface Prompt {
  title: string;
  text: string;
}

function Prompts({
  prompts,
  onPick,
}: {
  prompts: readonly Prompt[];
  onPick: (text: string) => void;
}) {
  return (
    <ul className="grid gap-2 min-[22rem]:grid-cols-2 sm:gap-2.5">
      {prompts.map(({ title, text }) => (
        <li key={text}>
          <button
            type="button"
            onClick={() => onPick(text)}
            className="frame flex h-full w-full flex-col rounded-2xl border border-line-strong bg-raised px-3.5 py-3 text-start sm:px-4 transition-[border-color,background-color] duration-100 hover:border-ink-3 hover:bg-surface-2"
          >
            <span className="block text-fine text-ink-3">{title}</span>
            <span className="mt-0.5 block text-[0.90625rem] leading-snug">{text}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

const suggestionsFor = (page: PageContext | null): readonly Prompt[] =>
  page === null ? strings.empty.suggestions : strings.inView.suggestions(page);

export function Empty({ conversation }: { conversation: Conversation }) {
  const { value } = useStore(me);
  const heading = useId();
  const page = useStore(pageContext).value;
  const tour = value?.tour === true && page === null;
  const name = value?.local === false ? value.user.name : "";
  const prompts = tour ? strings.empty.tours : suggestionsFor(page);
  return (
    <div className="mx-auto w-full max-w-column px-4 pt-[max(1rem,9dvh)] pb-8 max-sm:pt-4">
      <h1 className="text-balance font-semibold text-[1.75rem] leading-tight tracking-[-0.022em] sm:text-[2rem]">
        {strings.empty.greeting(new Date().getHours(), name)}
      </h1>
      <p className="mt-2 max-w-[34rem] text-pretty text-answer text-ink-2">{strings.empty.lead}</p>
      {page !== null && <InView page={page} />}
      {value !== null && value.model.kind !== "hosted" && <ModelNote model={value.model} />}
      <section aria-labelledby={heading} className="mt-6 sm:mt-8">
        <div className="mb-2.5 flex flex-wrap items-baseline gap-x-2.5">
          <h2 id={heading} className="font-medium text-ui">
            {tour ? strings.empty.tour : strings.empty.prompts}
          </h2>
          {tour && <p className="text-fine text-ink-3">{strings.empty.tourHint}</p>}
        </div>
        <Prompts prompts={prompts} onPick={(text) => void conversation.send(text)} />
      </section>
    </div>
  );
}
