/** Text that is withdrawn leaves its room behind, so that nothing people look at jumps. */
import { type CSSProperties, type RefObject, useLayoutEffect, useRef } from "react";

export function useSteadyHeight(
  withdrawn: boolean,
  live: boolean,
): { box: RefObject<HTMLDivElement | null>; style: CSSProperties | undefined } {
  const box = useRef<HTMLDivElement>(null);
  const height = useRef(0);
  useLayoutEffect(() => {
    if (live && !withdrawn) height.current = box.current?.offsetHeight ?? 0;
  });
  const kept = withdrawn && height.current > 0;
  return { box, style: kept ? { minHeight: height.current } : undefined };
}
