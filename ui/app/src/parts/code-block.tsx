/** Code with its language, copying and wrapping. */
import { TextWrap, WrapText } from "lucide-react";
import { useState } from "react";
import { IconButton } from "../kit/button";
import { CopyButton } from "../kit/copy-button";
import { strings } from "../strings";

export function CodeBlock({ code, language }: { code: string; language: string }) {
  const [wrap, setWrap] = useState(false);
  const name = language === "" ? strings.message.code : language;
  return (
    <figure className="frame overflow-hidden rounded-xl border border-line bg-surface-2">
      <figcaption className="flex h-9 items-center gap-1 border-line border-b ps-3.5 pe-1 text-fine text-ink-3 touch:h-11">
        <span className="flex-1 font-medium">{name}</span>
        <IconButton
          small
          label={wrap ? strings.message.noWrap : strings.message.wrap}
          icon={wrap ? TextWrap : WrapText}
          aria-pressed={wrap}
          onClick={() => setWrap(!wrap)}
        />
        <CopyButton label={strings.message.copyCode} text={() => code} />
      </figcaption>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to take the keyboard
        tabIndex={0}
        dir="ltr"
        className={`thin-scroll max-h-[28rem] overflow-auto px-3.5 py-3 font-mono text-[0.8125rem] leading-[1.6] -outline-offset-2 ${wrap ? "whitespace-pre-wrap [overflow-wrap:anywhere]" : ""}`}
      >
        <code>{code}</code>
      </pre>
    </figure>
  );
}

/** A few lines of data without a headline, such as the arguments of a tool. */
export function DataBlock({ text }: { text: string }) {
  return (
    <div className="frame flex items-start rounded-xl border border-line bg-surface-2 ps-3.5 pe-1">
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls has to take the keyboard
        tabIndex={0}
        dir="ltr"
        className="thin-scroll max-h-80 min-w-0 flex-1 overflow-auto whitespace-pre-wrap py-2 font-mono text-[0.8125rem] leading-[1.6] [overflow-wrap:anywhere] touch:py-3"
      >
        <code>{text}</code>
      </pre>
      <div className="py-1 touch:py-0">
        <CopyButton label={strings.copy} text={() => text} />
      </div>
    </div>
  );
}
