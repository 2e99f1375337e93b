/** The two buttons of the page: one with words, one with a picture and a hint. */
import type { LucideIcon } from "lucide-react";
import type { ComponentProps } from "react";

const looks = {
  plain: "border border-line-strong bg-raised text-ink hover:border-ink-3 hover:bg-surface-2",
  main: "border border-transparent bg-accent text-on-accent hover:bg-accent-strong",
  quiet: "text-ink-2 hover:bg-surface-3 hover:text-ink",
};

interface ButtonProps extends ComponentProps<"button"> {
  look?: keyof typeof looks;
}

export function Button({ look = "plain", className = "", type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      className={`inline-flex min-h-8 items-center gap-1.5 rounded-lg px-3 py-1 font-medium text-ui transition-colors duration-100 disabled:opacity-50 touch:min-h-11 ${looks[look]} ${className}`}
      {...rest}
    />
  );
}

interface IconButtonProps extends Omit<ComponentProps<"button">, "aria-label" | "children"> {
  label: string;
  icon: LucideIcon;
  small?: boolean;
}

export function IconButton({
  label,
  icon: Icon,
  small = false,
  className = "",
  ...rest
}: IconButtonProps) {
  const size = small ? "size-7" : "size-8";
  return (
    <button
      type="button"
      aria-label={label}
      data-hint={label}
      className={`inline-grid ${size} shrink-0 place-items-center rounded-lg text-ink-3 transition-colors duration-100 hover:bg-surface-3 hover:text-ink aria-expanded:bg-surface-3 aria-expanded:text-ink disabled:opacity-40 disabled:hover:bg-transparent touch:size-11 ${className}`}
      {...rest}
    >
      <Icon aria-hidden="true" className={small ? "size-3.75" : "size-4.25"} strokeWidth={1.75} />
    </button>
  );
}
