/** The end of a long conversation first: what people see does not wait for what lies above it. */
import { startTransition, useEffect, useRef, useState } from "react";
import type { ChatMessage } from "../chat/types";

const FIRST = 8; // more than a screen of them
const SEEN_MS = 50; // the first part has been drawn by then

/** The messages to draw. `before` is called when those above the first part are about to come. */
export function useFirstPart(messages: ChatMessage[], ready: boolean, before: () => void) {
  const [whole, setWhole] = useState(false);
  const latest = useRef(before);
  latest.current = before;
  const long = messages.length > FIRST;
  useEffect(() => {
    if (!ready || whole) return;
    if (!long) return setWhole(true); // from here on it grows at its end
    const timer = setTimeout(() => {
      latest.current();
      startTransition(() => setWhole(true));
    }, SEEN_MS);
    return () => clearTimeout(timer);
  }, [ready, whole, long]);
  return { shown: whole || !long ? messages : messages.slice(-FIRST), whole };
}
