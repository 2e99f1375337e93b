/** One conversation in the list: a link, a name that can be changed, a way to delete it. */
import { Ellipsis, Pencil, Trash2 } from "lucide-react";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { IconButton } from "../kit/button";
import { isComposing } from "../kit/composing";
import { Menu, MenuItem } from "../kit/menu";
import { addressOf, go } from "../kit/router";
import { strings } from "../strings";
import type { Thread } from "../wire";
import { threads } from "./threads";

const TITLE_CHARS_MAX = 200;

interface RenameProps {
  title: string;
  onDone: (title: string | null) => void;
}

function Rename({ title, onDone }: RenameProps) {
  const [draft, setDraft] = useState(title);
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => box.current?.select(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (isComposing(event)) return;
    if (event.key === "Enter") onDone(draft.trim() || null);
    if (event.key === "Escape") {
      event.preventDefault(); // closes this, not the drawer around it
      event.stopPropagation();
      onDone(null);
    }
  };
  return (
    <input
      ref={box}
      value={draft}
      maxLength={TITLE_CHARS_MAX}
      aria-label={strings.list.renameLabel}
      onChange={(event) => setDraft(event.target.value)}
      onKeyDown={onKeyDown}
      onBlur={() => onDone(draft.trim() || null)}
      className="min-h-8 w-full rounded-lg border border-accent bg-raised px-2.5 text-ui outline-none ring-1 ring-accent touch:min-h-11 touch:text-base"
    />
  );
}

interface ThreadRowProps {
  thread: Thread;
  current: boolean;
  onOpen: () => void;
}

export function ThreadRow({ thread, current, onOpen }: ThreadRowProps) {
  const [renaming, setRenaming] = useState(false);
  const title = thread.title || strings.list.untitled;
  const link = useRef<HTMLAnchorElement>(null);

  if (renaming) {
    const finish = (next: string | null) => {
      setRenaming(false);
      if (next !== null && next !== thread.title) void threads.rename(thread.id, next);
      requestAnimationFrame(() => link.current?.focus());
    };
    return (
      <li>
        <Rename title={title} onDone={finish} />
      </li>
    );
  }
  const remove = () => {
    const row = link.current?.closest("li");
    const near = row?.nextElementSibling ?? row?.previousElementSibling;
    near?.querySelector("a")?.focus(); // the button that had it is about to go
    if (current) go(null);
    threads.remove(thread);
  };
  return (
    <li
      className={`group/row relative flex items-center rounded-lg transition-colors duration-100 ${current ? "bg-surface-3" : "hover:bg-surface-3/60"}`}
    >
      <a
        ref={link}
        href={addressOf(thread.id)}
        aria-current={current ? "page" : undefined}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          go(thread.id);
          onOpen();
        }}
        className={`flex min-h-8 min-w-0 flex-1 items-center gap-2 rounded-lg py-1.5 ps-2.5 pe-9 text-ui touch:min-h-11 ${current ? "font-medium" : "text-ink-2 group-hover/row:text-ink"}`}
      >
        <span className="truncate">{title}</span>
        {thread.running_turn && (
          <span className="ms-auto flex shrink-0 items-center">
            <span
              aria-hidden="true"
              className="dot size-1.5 animate-pulse rounded-full bg-accent"
            />
            <span className="sr-only">{strings.list.running}</span>
          </span>
        )}
      </a>
      <div
        className={`absolute end-0.5 focus-within:opacity-100 group-hover/row:opacity-100 has-aria-expanded:opacity-100 touch:opacity-100 ${current ? "" : "opacity-0"}`}
      >
        <Menu
          label={strings.list.menu(title)}
          trigger={<IconButton small icon={Ellipsis} label={strings.list.menu(title)} />}
        >
          <MenuItem icon={Pencil} label={strings.list.rename} onSelect={() => setRenaming(true)} />
          <MenuItem danger icon={Trash2} label={strings.list.remove} onSelect={remove} />
        </Menu>
      </div>
    </li>
  );
}
