/** Markdown, fetched in the first quiet moment, so that no answer ever waits for it. */
import { type ComponentProps, lazy, Suspense } from "react";
import type { Markdown as Loaded } from "./markdown";

const load = () => import("./markdown");
const LazyMarkdown = lazy(load);

export const prefetchMarkdown = () => void load().catch(() => undefined);

export function Markdown(props: ComponentProps<typeof Loaded>) {
  return (
    <Suspense fallback={<div className="h-6 w-40 rounded bg-surface-3" />}>
      <LazyMarkdown {...props} />
    </Suspense>
  );
}
