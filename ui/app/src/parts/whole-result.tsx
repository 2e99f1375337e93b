/** What a tool showed, and the way to all of it when only the beginning was sent. */
import { LoaderCircle } from "lucide-react";
import { useState } from "react";
import { api } from "../kit/api";
import { toFailure } from "../kit/problems";
import { strings } from "../strings";
import type { WholeResult as Whole } from "../wire";
import { DataBlock } from "./code-block";
import { hasWidget, keptOf, Widget } from "./widget";

type Shown = Pick<Whole, "text" | "next" | "widget">;

interface WholeResultProps {
  widget: unknown;
  thread: string;
}

export function WholeResult({ widget, thread }: WholeResultProps) {
  const [whole, setWhole] = useState<Shown | null>(null);
  const [loading, setLoading] = useState(false);
  const [failed, setFailed] = useState("");
  const [gone, setGone] = useState(false);
  const handle = keptOf(widget);
  const asText = whole !== null && !hasWidget(whole.widget);
  const more = handle !== "" && (whole === null || (asText && whole.next !== null));

  const load = async () => {
    setLoading(true);
    setFailed("");
    try {
      const page = await api.result(thread, handle, whole?.next ?? 0);
      setWhole(whole === null ? page : { ...whole, text: whole.text + page.text, next: page.next });
    } catch (error) {
      const { code, message } = toFailure(error);
      setGone(code === "result_not_found");
      setFailed(message || strings.work.notLoaded);
    }
    setLoading(false);
  };

  return (
    <>
      {asText && <DataBlock text={whole.text} />}
      {!asText && hasWidget(widget) && <Widget widget={whole?.widget ?? widget} />}
      {failed !== "" && (
        <p role="alert" className="text-ink-2 text-ui">
          {gone ? strings.work.keptNoLonger : failed}
        </p>
      )}
      {more && !gone && (
        <button
          type="button"
          disabled={loading}
          onClick={() => void load()}
          className="inline-flex min-h-7 items-center gap-1.5 font-medium text-accent text-ui hover:underline touch:min-h-11"
        >
          {loading && <LoaderCircle aria-hidden="true" className="size-3.5 animate-spin-calm" />}
          {whole === null ? strings.work.showEverything : strings.work.showMore}
        </button>
      )}
    </>
  );
}
