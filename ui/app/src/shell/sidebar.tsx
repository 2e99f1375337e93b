/** The list of conversations: new, search, by day, older ones on demand. */
import { PanelLeftClose, Search, SquarePen, X } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { Button, IconButton } from "../kit/button";
import { dayGroup } from "../kit/format";
import { Mark } from "../kit/mark";
import { go } from "../kit/router";
import { useStore } from "../kit/store";
import { strings } from "../strings";
import type { Thread } from "../wire";
import { ThreadRow } from "./thread-row";
import { threads } from "./threads";

interface SidebarProps {
  current: string | null;
  onHide: () => void;
  onOpen: () => void;
  searchId: string;
}

type Group = keyof typeof strings.list.groups;

function groupByDay(items: Thread[], now: Date): [Group, Thread[]][] {
  const groups = new Map<Group, Thread[]>();
  for (const thread of items) {
    const group = dayGroup(thread.updated_at, now);
    groups.set(group, [...(groups.get(group) ?? []), thread]);
  }
  return [...groups];
}

const matches = (query: string) => {
  const words = query.toLocaleLowerCase().split(/\s+/);
  return ({ title }: Thread) => words.every((word) => title.toLocaleLowerCase().includes(word));
};

function Hint({ children, title }: { title: string; children?: ReactNode }) {
  return (
    <div className="px-2.5 py-6 text-ui">
      <p className="font-medium text-ink-2">{title}</p>
      <div className="mt-0.5 text-ink-3">{children}</div>
    </div>
  );
}

function SearchBox({
  id,
  query,
  onChange,
}: {
  id: string;
  query: string;
  onChange: (text: string) => void;
}) {
  return (
    <div className="relative">
      <Search
        aria-hidden="true"
        className="pointer-events-none absolute inset-y-0 start-2.5 my-auto size-4 text-ink-3"
        strokeWidth={1.75}
      />
      <input
        id={id}
        type="search"
        value={query}
        aria-label={strings.list.search}
        placeholder={strings.list.search}
        onFocus={() => void threads.loadAll()}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || query === "") return;
          event.preventDefault();
          onChange("");
        }}
        className="min-h-8 w-full rounded-lg border border-line-strong bg-raised ps-9 pe-8 text-ui outline-offset-0 hover:border-ink-3 touch:min-h-11 touch:text-base [&::-webkit-search-cancel-button]:hidden"
      />
      {query !== "" && (
        <IconButton
          small
          icon={X}
          label={strings.list.clearSearch}
          className="!absolute end-0.5 inset-y-0 my-auto"
          onClick={() => onChange("")}
        />
      )}
    </div>
  );
}

export function Sidebar({ current, onHide, onOpen, searchId }: SidebarProps) {
  const { items, next, phase, loadingMore } = useStore(threads.store);
  const [query, setQuery] = useState("");
  const wanted = query.trim();
  const found = useMemo(
    () => (wanted === "" ? items : items.filter(matches(wanted))),
    [items, wanted],
  );
  const groups = useMemo(() => groupByDay(found, new Date()), [found]);
  return (
    <nav aria-label={strings.list.label} className="flex h-full flex-col">
      <div className="flex h-14 items-center gap-2.5 ps-4 pe-2.5">
        <Mark className="size-6" />
        <span className="flex-1 font-semibold tracking-[-0.015em]">{strings.product}</span>
        <IconButton
          icon={PanelLeftClose}
          className="rtl:-scale-x-100"
          label={strings.list.hide}
          onClick={onHide}
        />
      </div>
      <div className="space-y-1.5 px-2.5 pb-2">
        <a
          href="/"
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            go(null);
            onOpen();
          }}
          className="flex min-h-8 items-center gap-2.5 rounded-lg px-2.5 font-medium text-ui hover:bg-surface-3/60 touch:min-h-11"
        >
          <SquarePen aria-hidden="true" className="size-4 text-accent" strokeWidth={2} />
          {strings.list.fresh}
        </a>
        <SearchBox id={searchId} query={query} onChange={setQuery} />
      </div>
      <div className="thin-scroll min-h-0 flex-1 overflow-y-auto px-2.5 pb-4">
        {groups.map(([group, rows]) => (
          <section key={group} aria-label={strings.list.groups[group]}>
            <h2 className="px-2.5 pt-4 pb-1 font-medium text-fine text-ink-3">
              {strings.list.groups[group]}
            </h2>
            <ul className="space-y-px">
              {rows.map((thread) => (
                <ThreadRow
                  key={thread.id}
                  thread={thread}
                  current={thread.id === current}
                  onOpen={onOpen}
                />
              ))}
            </ul>
          </section>
        ))}
        {phase === "failed" && (
          <Hint title={strings.list.failed}>
            <Button className="mt-2" onClick={() => void threads.refresh()}>
              {strings.retry}
            </Button>
          </Hint>
        )}
        {phase === "ready" && found.length === 0 && wanted === "" && (
          <Hint title={strings.list.none}>{strings.list.noneHint}</Hint>
        )}
        {phase === "ready" && found.length === 0 && wanted !== "" && !loadingMore && (
          <Hint title={strings.list.noMatch(wanted)} />
        )}
        {next !== null && (
          <Button
            look="quiet"
            className="mt-2 w-full"
            disabled={loadingMore}
            onClick={() => void threads.loadMore()}
          >
            {strings.list.loadMore}
          </Button>
        )}
      </div>
    </nav>
  );
}
