/** The way to earlier messages: they come by themselves when the top is reached, or on a click. */
import { LoaderCircle } from "lucide-react";
import { type RefObject, useEffect, useRef } from "react";
import { Button } from "../kit/button";
import { strings } from "../strings";

interface OlderProps {
  more: boolean;
  loading: boolean;
  scroller: RefObject<HTMLElement | null>;
  onMore: () => void;
}

export function Older({ more, loading, scroller, onMore }: OlderProps) {
  const mark = useRef<HTMLDivElement>(null);
  const latest = useRef(onMore);
  latest.current = onMore;
  useEffect(() => {
    if (!more || mark.current === null) return;
    const observer = new IntersectionObserver(
      // Only a person scrolls: while the page still stands at its very start nothing is fetched.
      ([entry]) =>
        entry?.isIntersecting && (scroller.current?.scrollTop ?? 0) > 0 && latest.current(),
      { root: scroller.current, rootMargin: "300px 0px 0px" },
    );
    observer.observe(mark.current);
    return () => observer.disconnect();
  }, [more, scroller]);
  if (!more) return null;
  return (
    <div ref={mark} className="flex justify-center pb-4">
      <Button look="quiet" disabled={loading} onClick={onMore}>
        {loading && <LoaderCircle aria-hidden="true" className="size-3.5 animate-spin-calm" />}
        {loading ? strings.thread.loadingOlder : strings.thread.older}
      </Button>
    </div>
  );
}
