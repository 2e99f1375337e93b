/** A conversation that is not on the screen: still coming, gone, or not to be had. */
import { Compass } from "lucide-react";
import type { Conversation } from "../chat/conversation";
import { Button } from "../kit/button";
import type { Failure } from "../kit/problems";
import { go } from "../kit/router";
import { FailureCard } from "../parts/failure-card";
import { strings } from "../strings";

export function Skeleton() {
  return (
    <div
      aria-hidden="true"
      className="mx-auto w-full max-w-column animate-pulse space-y-6 px-4 pt-6"
    >
      <div className="ms-auto h-11 w-56 rounded-[1.25rem] bg-surface-3" />
      <div className="space-y-2.5">
        <div className="h-4 w-full rounded bg-surface-3" />
        <div className="h-4 w-11/12 rounded bg-surface-3" />
        <div className="h-4 w-2/3 rounded bg-surface-3" />
      </div>
    </div>
  );
}

interface UnavailableProps {
  conversation: Conversation;
  failure: Failure | null;
}

export function Unavailable({ conversation, failure }: UnavailableProps) {
  if (conversation.store.get().phase === "failed" && failure !== null) {
    return (
      <div className="mx-auto w-full max-w-column flex-1 px-4 pt-8">
        <FailureCard
          failure={failure}
          title={strings.thread.failedTitle}
          onRetry={() => void conversation.refresh()}
        />
      </div>
    );
  }
  return (
    <div className="grid flex-1 place-items-center px-4 pb-24">
      <div className="max-w-sm text-center">
        <Compass aria-hidden="true" className="mx-auto size-8 text-ink-3" strokeWidth={1.5} />
        <p className="mt-4 font-semibold text-lg tracking-tight">{strings.thread.missingTitle}</p>
        <p className="mt-1 mb-5 text-balance text-ink-2 text-ui">{strings.thread.missingText}</p>
        <Button look="main" onClick={() => go(null)}>
          {strings.list.fresh}
        </Button>
      </div>
    </div>
  );
}
