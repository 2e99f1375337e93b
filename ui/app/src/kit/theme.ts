/** Light, dark or the system's choice, written as `data-theme` on the root element. */

import { read, write } from "./storage";
import { createStore } from "./store";

export type ThemeChoice = "system" | "light" | "dark";

const choices: readonly string[] = ["system", "light", "dark"];
const saved = read("theme");

export const theme = createStore<{ choice: ThemeChoice }>({
  choice: saved !== null && choices.includes(saved) ? (saved as ThemeChoice) : "system",
});

const query = () => matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const { choice } = theme.get();
  const dark = choice === "dark" || (choice === "system" && query().matches);
  document.documentElement.dataset["theme"] = dark ? "dark" : "light";
  const surface = getComputedStyle(document.documentElement).getPropertyValue("--surface").trim();
  document.querySelector('meta[name="theme-color"]')?.setAttribute("content", surface);
}

export function setTheme(choice: ThemeChoice): void {
  write("theme", choice === "system" ? null : choice);
  theme.set({ choice });
  apply();
}

export function watchSystemTheme(): void {
  query().addEventListener("change", apply);
  apply();
}
