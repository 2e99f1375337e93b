/** For those who listen: at work, what it waits for, complete or not. Never the words as they come. */
import { useEffect, useRef, useState } from "react";
import type { ChatMessage } from "../chat/types";
import { strings } from "../strings";

interface AnnouncerProps {
  live: boolean;
  failed: boolean;
  last: ChatMessage | undefined;
  status: string;
}

export function Announcer({ live, failed, last, status }: AnnouncerProps) {
  const [said, setSaid] = useState("");
  const was = useRef(false);
  const stopped = last?.metadata?.stopped === true;
  const waiting = last?.metadata?.status === "waiting";
  useEffect(() => {
    if (live === was.current) return;
    was.current = live;
    if (live) setSaid(strings.thread.working);
    else if (failed) setSaid(strings.thread.failedSaid);
    else if (waiting) setSaid(strings.approval.waitingSaid);
    else setSaid(stopped ? strings.thread.stoppedSaid : strings.thread.complete);
  }, [live, failed, stopped, waiting]);
  useEffect(() => {
    if (status !== "") setSaid(status);
  }, [status]);
  return (
    <p role="status" className="sr-only">
      {said}
    </p>
  );
}
