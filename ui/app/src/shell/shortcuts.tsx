/** Everything by keyboard: the keys, and the list of them under `?`. */
import { useEffect, useRef } from "react";
import { Dialog } from "../kit/dialog";
import { strings } from "../strings";

const isApple = /Mac|iPhone|iPad/.test(navigator.platform);
const keyName = (key: string) =>
  key === "Mod" ? (isApple ? "⌘" : strings.shortcuts.control) : key;

export interface Commands {
  search: () => void;
  fresh: () => void;
  toggleList: () => void;
  stop: () => void;
  help: () => void;
  focusBox: () => void;
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

function commandFor(event: KeyboardEvent): keyof Commands | null {
  const mod = isApple ? event.metaKey : event.ctrlKey;
  const key = event.key.toLowerCase();
  if (mod && !event.altKey) {
    if (event.shiftKey) return key === "o" ? "fresh" : key === "s" ? "stop" : null;
    return key === "k" ? "search" : key === "b" ? "toggleList" : null;
  }
  if (isTyping(event.target) || event.altKey || event.ctrlKey || event.metaKey) return null;
  return event.key === "?" ? "help" : event.key === "/" ? "focusBox" : null;
}

export function useShortcuts(commands: Commands): void {
  const latest = useRef(commands);
  latest.current = commands;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const command = commandFor(event);
      if (command === null || event.defaultPrevented) return;
      event.preventDefault();
      latest.current[command]();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
}

export function ShortcutsDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title={strings.shortcuts.title}>
      <dl className="text-ui">
        {strings.shortcuts.rows.map(({ keys, does }) => (
          <div
            key={does}
            className="flex items-center justify-between gap-4 border-line border-t py-2 first:border-t-0"
          >
            <dt className="text-ink-2">{does}</dt>
            <dd className="flex shrink-0 gap-1">
              {keys.map((key) => (
                <kbd
                  key={key}
                  className="min-w-6 rounded-md border border-line bg-surface-2 px-1.5 py-0.5 text-center font-sans text-fine"
                >
                  {keyName(key)}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
