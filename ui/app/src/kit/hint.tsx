/** A label that appears beside a control on hover and on focus. */
import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { usePortal } from "./portal";

export function Hint({ label, children }: { label: string; children: ReactNode }) {
  const portal = usePortal();
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal container={portal}>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="pointer-events-none z-50 animate-rise rounded-md bg-ink px-2 py-1 text-fine text-surface shadow-pop"
        >
          {label}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
