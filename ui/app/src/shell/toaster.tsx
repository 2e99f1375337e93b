/** Shows the short words of `toasts`. */
import { X } from "lucide-react";
import { IconButton } from "../kit/button";
import { useStore } from "../kit/store";
import { strings } from "../strings";
import { toasts } from "./toasts";

export function Toaster() {
  const { items } = useStore(toasts.store);
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-0 bottom-32 z-30 flex flex-col items-center gap-2 px-4"
    >
      {items.map((toast) => (
        <div
          key={toast.id}
          className="frame pointer-events-auto flex max-w-full animate-rise items-center gap-2 rounded-xl border border-line bg-raised py-1.5 ps-4 pe-1.5 text-ui shadow-pop"
        >
          <span className="min-w-0 truncate">{toast.text}</span>
          {toast.action !== undefined && (
            <button
              type="button"
              onClick={() => {
                toast.action?.run();
                toasts.close(toast.id);
              }}
              className="min-h-8 rounded-lg px-2 font-medium text-accent hover:bg-surface-2 touch:min-h-11"
            >
              {toast.action.label}
            </button>
          )}
          <IconButton small icon={X} label={strings.close} onClick={() => toasts.close(toast.id)} />
        </div>
      ))}
    </div>
  );
}
