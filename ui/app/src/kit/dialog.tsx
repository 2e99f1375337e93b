/**
 * The browser's own dialog: it keeps focus inside, closes on Esc from the top layer down, and gives
 * focus back, without a line of script of ours.
 */
import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useState } from "react";
import { strings } from "../strings";
import { IconButton } from "./button";

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
}

export function useModal(open: boolean, element: HTMLDialogElement | null): void {
  useEffect(() => {
    if (element === null || open === element.open) return;
    if (open) {
      element.showModal();
      element.focus(); // not the first button, whose hint would open with it
    } else element.close();
  }, [open, element]);
}

export function Dialog({ open, onClose, title, children }: DialogProps) {
  const [element, setElement] = useState<HTMLDialogElement | null>(null);
  const heading = useId();
  useModal(open, element);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc closes it; the click is on the backdrop only
    <dialog
      ref={setElement}
      tabIndex={-1}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === element && onClose()}
      className="m-auto max-h-[85dvh] w-[min(30rem,calc(100vw-2rem))] rounded-2xl border border-line bg-raised p-0 text-ink shadow-pop outline-none open:animate-rise"
    >
      {open && (
        <div className="p-5">
          <header className="mb-3 flex items-center justify-between gap-4">
            <h2 id={heading} className="font-semibold text-base tracking-tight">
              {title}
            </h2>
            <IconButton label={strings.close} icon={X} onClick={onClose} />
          </header>
          {children}
        </div>
      )}
    </dialog>
  );
}
