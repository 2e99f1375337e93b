/** The frame of the page: the list, the thread, and what lies over them. */
import { useEffect, useState } from "react";
import { conversationFor } from "./chat/conversations";
import { access } from "./kit/http";
import { isWide, useMedia } from "./kit/media";
import { go, useThreadInAddress } from "./kit/router";
import { read, write } from "./kit/storage";
import { useStore } from "./kit/store";
import { me } from "./me";
import { Drawer } from "./shell/drawer";
import { SignedOut, Unreachable } from "./shell/full-page";
import { ShortcutsDialog, useShortcuts } from "./shell/shortcuts";
import { Sidebar } from "./shell/sidebar";
import { threads } from "./shell/threads";
import { Toaster } from "./shell/toaster";
import { TopBar } from "./shell/top-bar";
import { strings } from "./strings";
import { Thread } from "./thread/thread";

const SEARCH_ID = "search-box";
/** At once when it is there, so that no key is lost; else after it has been drawn. */
function focus(id: string): void {
  const now = document.getElementById(id);
  if (now !== null) now.focus();
  else requestAnimationFrame(() => document.getElementById(id)?.focus());
}

function useTitle(id: string | null): string {
  const { items } = useStore(threads.store);
  const conversation = conversationFor(id);
  const { title } = useStore(conversation.store);
  const listed = items.find((thread) => thread.id === id)?.title;
  const shown = id === null ? "" : listed || title || strings.list.untitled;
  useEffect(() => {
    document.title = shown === "" ? strings.product : `${shown} · ${strings.product}`;
  }, [shown]);
  return shown;
}

export function App() {
  const id = useThreadInAddress();
  const { signedOut } = useStore(access);
  const { value, failure } = useStore(me);
  const wide = useMedia(isWide);
  const [listShown, setListShown] = useState(read("list") !== "hidden");
  const [drawer, setDrawer] = useState(false);
  const [help, setHelp] = useState(false);
  const conversation = conversationFor(id);
  const title = useTitle(id);

  const showList = (shown: boolean) => {
    if (!wide) return setDrawer(shown);
    setListShown(shown);
    return write("list", shown ? null : "hidden");
  };
  useShortcuts({
    search: () => {
      showList(true);
      focus(SEARCH_ID);
    },
    fresh: () => go(null),
    toggleList: () => showList(wide ? !listShown : !drawer),
    stop: () => void conversation.stop(),
    help: () => setHelp(true),
    focusBox: () => focus("message-box"),
  });

  if (signedOut) return <SignedOut />;
  if (value === null && failure !== null) return <Unreachable failure={failure} />;
  const sidebar = (
    <Sidebar
      current={id}
      searchId={SEARCH_ID}
      onHide={() => showList(false)}
      onOpen={() => setDrawer(false)}
    />
  );
  return (
    <div className="flex h-dvh">
      <a
        href="#main"
        className="fixed start-2 top-2 z-50 -translate-y-24 rounded-lg bg-raised px-3 py-2 font-medium text-ui focus:translate-y-0 focus:shadow-pop"
      >
        {strings.skip}
      </a>
      {wide && listShown && (
        <div className="w-68 shrink-0 border-line border-e bg-surface-2">{sidebar}</div>
      )}
      {!wide && (
        <Drawer open={drawer} onClose={() => setDrawer(false)}>
          {sidebar}
        </Drawer>
      )}
      <main id="main" tabIndex={-1} className="flex min-w-0 flex-1 flex-col outline-none">
        <TopBar
          title={title}
          wide={wide}
          listShown={wide && listShown}
          onShowList={() => showList(true)}
          onHelp={() => setHelp(true)}
        />
        <Thread key={conversation.id} conversation={conversation} />
      </main>
      <ShortcutsDialog open={help} onClose={() => setHelp(false)} />
      <Toaster />
    </div>
  );
}
