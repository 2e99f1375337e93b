/** English only: "Searching dashboards…" becomes "Searched dashboards" when it is done. */

const irregular: Record<string, string> = {
  doing: "Did",
  drawing: "Drew",
  finding: "Found",
  getting: "Got",
  making: "Made",
  reading: "Read",
  running: "Ran",
  sending: "Sent",
  taking: "Took",
  telling: "Told",
  thinking: "Thought",
  writing: "Wrote",
};

/** Verbs that lose an e before -ing. Others take -ed as they stand. */
const withE =
  /^(analys|calculat|chang|compar|comput|creat|delet|describ|estimat|evaluat|generat|updat|us|measur|mov|prepar|resolv|retriev|sav|schedul|summaris|summariz|translat|validat|execut|organis|organiz|shar|stor|remov|renam)$/;

function past(verb: string): string {
  const lower = verb.toLowerCase();
  const known = irregular[lower];
  if (known !== undefined) return known;
  const stem = lower.slice(0, -3);
  const word = withE.test(stem) ? `${stem}ed` : /[^aeiou]y$/.test(stem) ? `${stem.slice(0, -1)}ied` : `${stem}ed`;
  return word.charAt(0).toUpperCase() + word.slice(1);
}

export function pastTense(title: string): string {
  const plain = title.replace(/[.…\s]+$/u, "");
  return plain.replace(/^[A-Za-z]{2,}ing\b/, past);
}
