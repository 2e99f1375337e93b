/** What the line to the server, or an answer that does not stop, has to tell people. */
import { Hand, LoaderCircle, WifiOff } from "lucide-react";
import type { Conversation } from "../chat/conversation";
import { Button } from "../kit/button";
import { useStore } from "../kit/store";
import { strings } from "../strings";

export function LineState({ conversation }: { conversation: Conversation }) {
  const { line } = useStore(conversation.store);
  if (line === "online") return null;
  return (
    <div role="status" className="mt-3 flex flex-wrap items-center gap-3 text-ink-2 text-ui">
      {line === "reconnecting" ? (
        <>
          <LoaderCircle aria-hidden="true" className="size-4 animate-spin-calm text-accent" />
          {strings.connection.reconnecting}
        </>
      ) : (
        <>
          <WifiOff aria-hidden="true" className="size-4 text-danger" />
          {strings.connection.lost}
          <Button onClick={() => conversation.reconnect()}>{strings.connection.reconnect}</Button>
        </>
      )}
    </div>
  );
}

export function StopState({ conversation }: { conversation: Conversation }) {
  const { unstopped, stopping } = useStore(conversation.store);
  if (unstopped === "") return null;
  return (
    <div
      role="status"
      className="mt-3 flex items-start gap-2 text-ink-2 text-ui max-sm:flex-col sm:gap-3"
    >
      <p className="flex flex-1 gap-2">
        <Hand aria-hidden="true" className="mt-0.5 size-4 shrink-0 text-danger" />
        {strings.stopping[unstopped]}
      </p>
      <Button disabled={stopping} onClick={() => void conversation.stop()}>
        {strings.stopping.again}
      </Button>
    </div>
  );
}
