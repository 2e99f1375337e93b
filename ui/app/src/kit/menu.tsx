/** A menu on a button. */
import { Check, type LucideIcon } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { usePortal } from "./portal";

const row =
  "flex min-h-8 w-full items-center gap-2.5 rounded-md px-2 py-1.5 text-ui outline-none select-none data-highlighted:bg-surface-3 touch:min-h-11";

interface MenuProps {
  trigger: ReactNode;
  children: ReactNode;
  /** After a choice focus usually returns to the button; a choice that moves focus says no. */
  keepFocus?: () => boolean;
}

export function Menu({ trigger, children, keepFocus }: MenuProps) {
  const portal = usePortal();
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal container={portal}>
        <DropdownMenu.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          onCloseAutoFocus={(event) => keepFocus?.() && event.preventDefault()}
          className="z-40 min-w-48 max-w-[calc(100vw-1rem)] animate-rise rounded-xl border border-line bg-raised p-1 text-ink shadow-pop"
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface MenuItemProps {
  icon: LucideIcon;
  label: string;
  danger?: boolean;
  onSelect: () => void;
}

export function MenuItem({ icon: Icon, label, danger = false, onSelect }: MenuItemProps) {
  return (
    <DropdownMenu.Item className={`${row} ${danger ? "text-danger" : ""}`} onSelect={onSelect}>
      <Icon aria-hidden="true" className="size-4 shrink-0 opacity-80" strokeWidth={1.75} />
      {label}
    </DropdownMenu.Item>
  );
}

interface MenuChoiceProps<T extends string> {
  label: string;
  value: T;
  options: { value: T; label: string; icon: LucideIcon }[];
  onChange: (value: T) => void;
}

export function MenuChoice<T extends string>({
  label,
  value,
  options,
  onChange,
}: MenuChoiceProps<T>) {
  return (
    <DropdownMenu.RadioGroup value={value} aria-label={label}>
      <DropdownMenu.Label className="px-2 pt-1.5 pb-1 text-fine text-ink-3">
        {label}
      </DropdownMenu.Label>
      {options.map(({ value: option, label: name, icon: Icon }) => (
        <DropdownMenu.RadioItem
          key={option}
          value={option}
          className={row}
          onSelect={(event) => {
            event.preventDefault(); // the menu stays, so that people see the change
            onChange(option);
          }}
        >
          <Icon aria-hidden="true" className="size-4 shrink-0 opacity-80" strokeWidth={1.75} />
          <span className="flex-1">{name}</span>
          <DropdownMenu.ItemIndicator>
            <Check aria-hidden="true" className="size-4 text-accent" />
          </DropdownMenu.ItemIndicator>
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className="mx-1 my-1 h-px bg-line" />;
}
