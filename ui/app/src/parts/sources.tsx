/** What an answer rests on: numbered, each with its title; web sources are links. */
import { ExternalLink } from "lucide-react";
import type { Source } from "../chat/answer";
import { strings } from "../strings";

function Title({ source }: { source: Source }) {
  const page = source.page === null ? "" : `, ${strings.sources.page(source.page)}`;
  if (!/^https?:\/\//.test(source.url)) return <span>{`${source.title}${page}`}</span>;
  return (
    <a
      href={source.url}
      target="_blank"
      rel="noopener noreferrer nofollow"
      className="underline decoration-line-strong underline-offset-3 hover:text-ink"
    >
      {`${source.title}${page}`}
      <ExternalLink
        role="img"
        aria-label={`(${strings.message.external})`}
        className="ms-1 inline size-3 opacity-70"
      />
    </a>
  );
}

export function Sources({ sources }: { sources: Source[] }) {
  return (
    <section aria-label={strings.sources.title} className="pt-1 text-ink-2 text-ui">
      <h3 className="mb-1 font-medium text-fine text-ink-3">{strings.sources.title}</h3>
      <ol className="list-inside list-decimal space-y-0.5 tabular-nums">
        {sources.map((source) => (
          <li key={source.id}>
            <Title source={source} />
          </li>
        ))}
      </ol>
    </section>
  );
}
