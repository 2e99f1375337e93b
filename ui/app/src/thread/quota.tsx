/** Above the box: what is left when it is little, or why nothing can be sent and until when. */
import { Gauge, Hourglass } from "lucide-react";
import { clock, whenAgain } from "../kit/format";
import { useStore } from "../kit/store";
import { blocking, type Limit, limits, nearest } from "../limits";
import { strings } from "../strings";

export const QUOTA_ID = "quota";

const words = strings.limits;

/** When there is more, in the person's own time. */
function when({ resets_at: at }: Limit): string {
  if (at === null) return "";
  return whenAgain(at, new Date()) ? words.at(clock(at)) : words.on(clock(at, true));
}

export function Quota() {
  const state = useStore(limits);
  const off = blocking(state);
  const low = off ?? nearest(state);
  if (low === undefined) return null;
  const shared = low.scope === "workspace";
  const Icon = off === undefined ? Gauge : Hourglass;
  return (
    <p
      id={QUOTA_ID}
      role="status"
      className={`mb-2 flex items-start gap-2 rounded-xl px-3.5 py-2 text-ui ${
        off === undefined ? "text-ink-2" : "frame border border-line bg-surface-2 text-ink"
      }`}
    >
      <Icon aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-ink-3" />
      <span>
        {off === undefined
          ? words.left(low.limit, low.left, low.allowed, shared, when(low))
          : words.off(low.limit, low.allowed, shared, when(low))}
      </span>
    </p>
  );
}
