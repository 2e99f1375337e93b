/** The list on a narrow screen: a dialog that comes from the side. */
import { type ReactNode, useState } from "react";
import { useModal } from "../kit/dialog";
import { strings } from "../strings";

interface DrawerProps {
  open: boolean;
  onClose: () => void;
  children: ReactNode;
}

export function Drawer({ open, onClose, children }: DrawerProps) {
  const [element, setElement] = useState<HTMLDialogElement | null>(null);
  useModal(open, element);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc closes it; the click is on the backdrop only
    <dialog
      ref={setElement}
      tabIndex={-1}
      aria-label={strings.list.label}
      onClose={onClose}
      onClick={(event) => event.target === element && onClose()}
      className="m-0 h-dvh max-h-none w-[min(19rem,86vw)] max-w-none border-line border-e bg-surface-2 text-ink shadow-pop outline-none open:animate-slide"
    >
      {open && children}
    </dialog>
  );
}
