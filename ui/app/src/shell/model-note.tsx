/** Says plainly when no real model answers, and how to connect one. */
import { Sparkle } from "lucide-react";
import { useState } from "react";
import { CopyButton } from "../kit/copy-button";
import { Dialog } from "../kit/dialog";
import { strings } from "../strings";
import type { Me } from "../wire";

const words = strings.model;

const COMMANDS = [
  "OPENAI_API_KEY=… parlour serve",
  "ANTHROPIC_API_KEY=… parlour serve",
  "OPENAI_BASE_URL=… PARLOUR_MODEL=openai:name parlour serve",
];

function Command({ text }: { text: string }) {
  return (
    <div className="mt-1.5 flex items-center rounded-lg border border-line bg-surface-2 ps-3 pe-1">
      <code
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to take the keyboard
        tabIndex={0}
        className="thin-scroll flex-1 overflow-x-auto whitespace-nowrap py-2 font-mono text-fine"
      >
        {text}
      </code>
      <CopyButton label={strings.copy} text={() => text} />
    </div>
  );
}

/** What the model is called on the page; a script has no name worth reading. */
export const modelName = ({ kind, label }: Me["model"]) =>
  kind === "scripted" ? words.scripted : label;

export function leadFor(model: Me["model"]): string {
  if (model.kind === "local") return words.localLead(model.label);
  if (model.kind === "scripted") return words.scriptedLead;
  return words.hosted(model.label);
}

interface ModelDialogProps {
  model: Me["model"];
  open: boolean;
  onClose: () => void;
}

export function ModelDialog({ model, open, onClose }: ModelDialogProps) {
  const [openai, anthropic, other] = COMMANDS;
  return (
    <Dialog open={open} onClose={onClose} title={words.aboutTitle}>
      <div className="space-y-3 text-ui leading-relaxed">
        <p className="text-ink-2">{leadFor(model)}</p>
        {model.kind !== "hosted" && (
          <>
            <h3 className="pt-1 font-medium">{words.connect}</h3>
            <p className="text-ink-2">{words.connectSteps}</p>
            <div>
              <Command text={openai ?? ""} />
              <Command text={anthropic ?? ""} />
            </div>
            <p className="text-ink-2">{words.connectOther}</p>
            <Command text={other ?? ""} />
          </>
        )}
      </div>
    </Dialog>
  );
}

export function ModelNote({ model }: { model: Me["model"] }) {
  const [open, setOpen] = useState(false);
  const short = model.kind === "local" ? words.localShort : words.scriptedShort;
  return (
    <div className="frame mt-5 flex items-start gap-3 rounded-2xl border border-transparent bg-accent-soft px-4 py-3 text-ui">
      <Sparkle aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-accent" />
      <p>
        {short}{" "}
        <button
          type="button"
          onClick={() => setOpen(true)}
          className="reach rounded font-medium text-accent underline decoration-accent/40 underline-offset-3 hover:decoration-current"
        >
          {words.connect}
        </button>
      </p>
      <ModelDialog model={model} open={open} onClose={() => setOpen(false)} />
    </div>
  );
}
