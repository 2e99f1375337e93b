/**
 * Titles of tools as sentences, in English: "Search dashboards" is "Searching dashboards" while it
 * runs and "Searched dashboards" after, "Calculate" is "Calculating" and "Calculated"; what begins with no
 * verb is a name: "Using Weather" and "Used Weather".
 */

const irregular: Record<string, string> = {
  build: "built",
  do: "did",
  draw: "drew",
  find: "found",
  get: "got",
  make: "made",
  read: "read",
  run: "ran",
  send: "sent",
  set: "set",
  take: "took",
  tell: "told",
  think: "thought",
  write: "wrote",
};

const regular =
  "add analyse analyze ask bake book calculate call cancel change check close compare compute convert count create delete describe download edit estimate evaluate execute explain export fetch filter generate import inspect list load look move open order plan prepare query remove rename request resolve retrieve save schedule search share show sort start stop store summarise summarize test translate turn update upload use validate verify view work";

/** Verbs that are never the name of a thing, so that they are verbs also when they stand alone. */
const plainVerbs = new Set(
  "analyse analyze calculate compare compute convert create delete describe evaluate execute explain find generate get inspect prepare read remove retrieve save send summarise summarize think translate validate verify write".split(
    " ",
  ),
);

const doubling = new Set(["get", "run", "set", "stop", "plan", "cancel"]);
const pasts = new Map<string, string>();
const presents = new Map<string, string>();

function withEnding(verb: string, ending: "ed" | "ing"): string {
  if (doubling.has(verb) && verb !== "cancel") return `${verb}${verb.at(-1)}${ending}`;
  if (verb.endsWith("e")) return `${verb.slice(0, -1)}${ending}`;
  if (ending === "ed" && /[^aeiou]y$/.test(verb)) return `${verb.slice(0, -1)}ied`;
  return `${verb}${ending}`;
}

for (const verb of [...regular.split(" "), ...Object.keys(irregular)]) {
  const present = withEnding(verb, "ing");
  const past = irregular[verb] ?? withEnding(verb, "ed");
  pasts.set(verb, past).set(present, past);
  presents.set(verb, present).set(present, present);
}

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

function say(title: string, verbs: Map<string, string>, other: string): string {
  const plain = title.replace(/[.…\s]+$/u, "");
  const [first = "", ...rest] = plain.split(" ");
  const verb = verbs.get(first.toLowerCase());
  // A lone "Test" or "Search" is more likely the name of a thing.
  const alone = rest.length === 0 && !first.endsWith("ing") && !plainVerbs.has(first.toLowerCase());
  if (verb === undefined || alone) return `${other} ${plain}`;
  return [capital(verb), ...rest].join(" ");
}

export const whileRunning = (title: string) => say(title, presents, "Using");
export const whenDone = (title: string) => say(title, pasts, "Used");
