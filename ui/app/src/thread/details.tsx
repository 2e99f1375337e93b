/** Figures of one answer, for those who ask: model, time, tokens, cost. */
import type { Metadata } from "../chat/types";
import { cost, dateTime, duration, number } from "../kit/format";
import { useStore } from "../kit/store";
import { me } from "../me";
import { strings } from "../strings";

const words = strings.details;

/** `dev` adds what is for whoever runs the service: the route, and what it cost. */
export function rowsOf(metadata: Metadata, dev: boolean) {
  const { route, usage } = metadata;
  const rows = figuresOf(metadata);
  if (!dev) return rows;
  if (route !== undefined) {
    rows.push([words.route, [route.name, route.model, route.region || words.nowhere].join(" · ")]);
  }
  if (usage !== undefined) {
    const priced = usage.cost_micros;
    rows.push([words.cost, priced === undefined ? words.unpriced : cost(priced)]);
  }
  return rows;
}

function figuresOf({
  model,
  createdAt,
  firstTokenMs,
  elapsedMs,
  usage,
  finishReason,
  turnId,
}: Metadata) {
  const rows: [string, string][] = [];
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== "") rows.push([name, value]);
  };
  const count = (value: number | undefined) => (value ? number(value) : undefined);
  add(words.model, model);
  add(words.when, createdAt && dateTime(createdAt));
  add(words.first, firstTokenMs === undefined ? undefined : duration(firstTokenMs));
  add(words.total, elapsedMs === undefined ? undefined : duration(elapsedMs));
  add(words.input, count(usage?.input));
  add(words.cached, count(usage?.cache_read));
  add(words.output, count(usage?.output));
  add(words.reasoning, count(usage?.reasoning));
  if (usage?.estimated && rows.length > 0) add(words.counted, words.estimated);
  add(words.ended, finishReason && (words.endings[finishReason] ?? finishReason));
  add(words.turn, turnId);
  return rows;
}

export function Details({ metadata }: { metadata: Metadata }) {
  const dev = useStore(me).value?.dev === true;
  const rows = rowsOf(metadata, dev);
  if (rows.length === 0) return <p className="pt-1 text-fine text-ink-3">{words.none}</p>;
  return (
    <dl className="frame mt-1 grid max-w-md grid-cols-[max-content_1fr] gap-x-6 gap-y-1.5 rounded-xl border border-line bg-surface-2 px-4 py-3 text-ui tabular-nums">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-ink-3">{name}</dt>
          <dd className="break-all text-ink">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
