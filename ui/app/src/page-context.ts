/**
 * What the host's user looks at while asking. Whoever embeds the page calls `lookAt`; a host that
 * writes the document itself puts it there as JSON:
 *
 *     <script type="application/json" id="parlour-context">{"kind": "chart", …}</script>
 *
 * Never from the address: a link must not be able to say what somebody sees.
 */
import { createStore } from "./kit/store";
import type { PageContext } from "./wire";

export const pageContext = createStore<{ value: PageContext | null }>({ value: null });

const WORDS = ["kind", "title", "url", "selection", "text"] as const;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What the server takes of it; the rest is left out, so that no host's slip refuses a message. */
export function toPageContext(given: unknown): PageContext | null {
  if (!isRecord(given)) return null;
  const page: PageContext = {};
  for (const name of WORDS) {
    const value = given[name];
    if (typeof value === "string" && value !== "") page[name] = value;
  }
  const { id, fields } = given;
  if ((typeof id === "string" && id !== "") || Number.isSafeInteger(id)) page.id = String(id);
  if (isRecord(fields) && Object.keys(fields).length > 0) page.fields = fields;
  return Object.keys(page).length === 0 ? null : page;
}

export function lookAt(given: unknown): void {
  pageContext.set({ value: toPageContext(given) });
}

/** At the start: what the document itself says. */
export function adoptDocumentContext(): void {
  const said = document.getElementById("parlour-context")?.textContent;
  if (said === undefined || said === null) return;
  try {
    lookAt(JSON.parse(said));
  } catch {
    // Not JSON: as if there were none.
  }
}
