/** The user's own words, with a quiet mark where something is hidden from the model. */
import { Fragment } from "react";
import { strings } from "../strings";

/** The text cut at the values: every second piece is one of them. */
export function cutAt(text: string, values: string[]): string[] {
  const known = values.filter((value) => value !== "" && text.includes(value));
  if (known.length === 0) return [text];
  const longestFirst = known.toSorted((one, other) => other.length - one.length);
  const escaped = longestFirst.map((value) => value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`));
}

export function Masked({ text, values }: { text: string; values: string[] }) {
  return cutAt(text, values).map((piece, at) =>
    at % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one text have no other name
      <span key={at} title={strings.message.masked} className="masked">
        {piece}
        <span className="sr-only"> ({strings.message.masked})</span>
      </span>
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: as above
      <Fragment key={at}>{piece}</Fragment>
    ),
  );
}
