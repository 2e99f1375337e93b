/**
 * A menu on a button: the browser's own popover, which lies over everything, closes on Esc or a click
 * elsewhere and gives focus back. The keys inside are those that every menu has.
 */
import { Check, type LucideIcon } from "lucide-react";
import {
  cloneElement,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
  useId,
  useRef,
  useState,
} from "react";

const row =
  "flex min-h-8 w-full items-center gap-2.5 rounded-md px-2 py-1.5 text-start text-ui outline-none select-none focus:bg-surface-3 touch:min-h-11";

const itemsIn = (menu: HTMLElement) => [
  ...menu.querySelectorAll<HTMLElement>("[role^='menuitem']"),
];

/** Where a key leads from item `from` (-1: none) of `names`; null when it is not a menu's key. */
export function moveTo(key: string, from: number, names: string[]): number | null {
  const { length } = names;
  if (key === "ArrowDown") return (from + 1) % length;
  if (key === "ArrowUp") return (Math.max(from, 0) + length - 1) % length;
  if (key === "Home") return 0;
  if (key === "End") return length - 1;
  if (!/^\p{L}$/u.test(key)) return null;
  const letter = key.toLocaleLowerCase();
  const order = names.map((_, step) => (from + 1 + step) % length);
  return order.find((at) => names[at]?.toLocaleLowerCase().startsWith(letter)) ?? null;
}

interface TriggerProps {
  popoverTarget?: string;
  "aria-haspopup"?: "menu";
  "aria-expanded"?: boolean;
}

interface MenuProps {
  label: string;
  trigger: ReactElement<TriggerProps>;
  children: ReactNode;
}

export function Menu({ label, trigger, children }: MenuProps) {
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const onKeyDown = (event: KeyboardEvent) => {
    if (menu.current === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Tab") return menu.current.hidePopover();
    const items = itemsIn(menu.current);
    const from = items.indexOf(document.activeElement as HTMLElement);
    const to = moveTo(
      event.key,
      from,
      items.map((item) => item.textContent.trim()),
    );
    if (to === null) return;
    event.preventDefault();
    items[to]?.focus();
  };
  return (
    <>
      {cloneElement(trigger, {
        popoverTarget: id,
        "aria-haspopup": "menu",
        "aria-expanded": open,
      })}
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        tabIndex={-1}
        aria-label={label}
        onKeyDown={onKeyDown}
        onToggle={(event) => {
          setOpen(event.newState === "open");
          if (event.newState === "open") itemsIn(event.currentTarget)[0]?.focus();
        }}
        className="menu min-w-48 max-w-[calc(100vw-1rem)] rounded-xl border border-line bg-raised p-1 text-ink shadow-pop outline-none open:animate-rise"
      >
        {children}
      </div>
    </>
  );
}

const close = (item: HTMLElement) => item.closest<HTMLElement>("[popover]")?.hidePopover();
const focus = ({ currentTarget }: { currentTarget: HTMLElement }) => currentTarget.focus();

interface MenuItemProps {
  icon: LucideIcon;
  label: string;
  danger?: boolean;
  onSelect: () => void;
}

export function MenuItem({ icon: Icon, label, danger = false, onSelect }: MenuItemProps) {
  return (
    <button
      type="button"
      role="menuitem"
      tabIndex={-1}
      className={`${row} ${danger ? "text-danger" : ""}`}
      onPointerMove={focus}
      onClick={(event) => {
        close(event.currentTarget); // first, so that the choice may move focus elsewhere
        onSelect();
      }}
    >
      <Icon aria-hidden="true" className="size-4 shrink-0 opacity-80" strokeWidth={1.75} />
      {label}
    </button>
  );
}

interface MenuChoiceProps<T extends string> {
  label: string;
  value: T;
  options: { value: T; label: string; icon: LucideIcon }[];
  onChange: (value: T) => void;
}

/** One of several; the menu stays open, so that people see the change. */
export function MenuChoice<T extends string>({
  label,
  value,
  options,
  onChange,
}: MenuChoiceProps<T>) {
  const heading = useId();
  return (
    // biome-ignore lint/a11y/useSemanticElements: a menu takes groups, not field sets
    <div role="group" aria-labelledby={heading}>
      <p id={heading} className="px-2 pt-1.5 pb-1 text-fine text-ink-3">
        {label}
      </p>
      {options.map(({ value: option, label: name, icon: Icon }) => (
        <button
          key={option}
          type="button"
          role="menuitemradio"
          aria-checked={option === value}
          tabIndex={-1}
          className={row}
          onPointerMove={focus}
          onClick={() => onChange(option)}
        >
          <Icon aria-hidden="true" className="size-4 shrink-0 opacity-80" strokeWidth={1.75} />
          <span className="flex-1">{name}</span>
          {option === value && <Check aria-hidden="true" className="size-4 text-accent" />}
        </button>
      ))}
    </div>
  );
}

export function MenuLine() {
  return <hr className="mx-1 my-1 border-line border-t" />;
}
