/**
 * The label of a picture button beside it, on hover and on keyboard focus: one element for the whole
 * page, for everything with `data-hint`. It repeats the button's name, so listeners do not need it.
 */

const DELAY_MS = 450; // hints should not chase a passing pointer

const at = (target: EventTarget | null) =>
  target instanceof Element ? target.closest<HTMLElement>("[data-hint]") : null;

export function watchHints(): void {
  const layer = document.createElement("div");
  if (!("showPopover" in layer)) return;
  layer.popover = "manual";
  layer.className = "hint";
  layer.ariaHidden = "true";
  document.body.append(layer);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let shown: HTMLElement | null = null;

  const hide = () => {
    clearTimeout(timer);
    shown = null;
    if (layer.matches(":popover-open")) layer.hidePopover();
  };
  const show = (target: HTMLElement, delayMs: number) => {
    hide();
    shown = target;
    timer = setTimeout(() => {
      if (!target.isConnected) return;
      layer.textContent = target.dataset["hint"] ?? "";
      layer.showPopover({ source: target });
    }, delayMs);
  };

  document.addEventListener("pointerover", (event) => {
    const target = event.pointerType === "touch" ? null : at(event.target);
    if (target === shown) return;
    if (target === null) hide();
    else show(target, DELAY_MS);
  });
  document.addEventListener("focusin", (event) => {
    const target = at(event.target);
    if (target?.matches(":focus-visible")) show(target, 0);
    else hide();
  });
  for (const end of ["focusout", "pointerdown", "keydown"]) document.addEventListener(end, hide);
  document.addEventListener("scroll", hide, { capture: true, passive: true });
}
