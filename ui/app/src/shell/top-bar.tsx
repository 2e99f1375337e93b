/** The line above a conversation: its name, what answers, and the settings. */
import {
  Info,
  Keyboard,
  Menu as MenuIcon,
  Monitor,
  Moon,
  PanelLeftOpen,
  Settings2,
  SquarePen,
  Sun,
} from "lucide-react";
import { useState } from "react";
import { IconButton } from "../kit/button";
import { Menu, MenuChoice, MenuItem, MenuLine } from "../kit/menu";
import { go } from "../kit/router";
import { useStore } from "../kit/store";
import { setTheme, type ThemeChoice, theme } from "../kit/theme";
import { me } from "../me";
import { strings } from "../strings";
import { ModelDialog, modelName } from "./model-note";

const words = strings.top;
const looks: { value: ThemeChoice; label: string; icon: typeof Sun }[] = [
  { value: "system", label: words.system, icon: Monitor },
  { value: "light", label: words.light, icon: Sun },
  { value: "dark", label: words.dark, icon: Moon },
];

interface TopBarProps {
  title: string;
  wide: boolean;
  listShown: boolean;
  onShowList: () => void;
  onHelp: () => void;
}

export function TopBar({ title, wide, listShown, onShowList, onHelp }: TopBarProps) {
  const { value } = useStore(me);
  const { choice } = useStore(theme);
  const [about, setAbout] = useState(false);
  return (
    <header className="flex h-14 shrink-0 items-center gap-1 px-2.5">
      {!listShown && (
        <>
          <IconButton
            icon={wide ? PanelLeftOpen : MenuIcon}
            className="rtl:-scale-x-100"
            label={wide ? strings.list.show : strings.list.open}
            onClick={onShowList}
          />
          {title !== "" && (
            <IconButton icon={SquarePen} label={strings.list.fresh} onClick={() => go(null)} />
          )}
        </>
      )}
      {title === "" ? (
        <span className="flex-1" />
      ) : (
        <h1 className="min-w-0 flex-1 truncate px-1.5 font-medium text-ui">{title}</h1>
      )}
      {value !== null && (
        <button
          type="button"
          onClick={() => setAbout(true)}
          aria-label={`${words.about}: ${modelName(value.model)}`}
          className={`flex min-h-8 min-w-0 max-w-56 items-center gap-2 rounded-lg px-2 text-ink-3 text-ui hover:bg-surface-3 hover:text-ink touch:min-h-11 ${title === "" ? "" : "max-sm:hidden"}`}
        >
          <span
            aria-hidden="true"
            className={`size-1.5 shrink-0 rounded-full ${value.model.kind === "hosted" ? "dot bg-accent" : "border border-line-strong"}`}
          />
          <span className="truncate">{modelName(value.model)}</span>
        </button>
      )}
      <Menu label={words.settings} trigger={<IconButton icon={Settings2} label={words.settings} />}>
        <MenuChoice label={words.theme} value={choice} options={looks} onChange={setTheme} />
        <MenuLine />
        <MenuItem icon={Keyboard} label={words.shortcuts} onSelect={onHelp} />
        <MenuItem icon={Info} label={words.about} onSelect={() => setAbout(true)} />
        {value !== null && (
          <p className="px-2 pt-1.5 pb-1 text-fine text-ink-3">{words.version(value.version)}</p>
        )}
      </Menu>
      {value !== null && (
        <ModelDialog model={value.model} open={about} onClose={() => setAbout(false)} />
      )}
    </header>
  );
}
