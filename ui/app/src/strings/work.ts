/** The words for what was done: thinking, tools, tables, decisions, sources, figures. */
import { figures, plural } from "./figures";

export const workStrings = {
  work: {
    thinking: "Thinking",
    thought: (seconds: number) =>
      seconds < 1
        ? "Thought for a moment"
        : `Thought for ${plural(Math.round(seconds), "second", "seconds").replace(/ seconds?$/, " s")}`,
    thoughtSome: "Thought about it",
    steps: (count: number) => plural(count, "step", "steps"),
    failedTool: "did not work",
    unfinished: "not finished",
    arguments: "What it was given",
    result: "What came back",
    empty: "Nothing",
    showEverything: "Show everything",
    showMore: "Show more",
    keptNoLonger: "All of it is kept no longer. Ask again to get it anew.",
    notLoaded: "It could not be loaded. Try again in a moment.",
    denied: "You did not allow this",
    took: (ms: number) =>
      ms < 1000
        ? `${figures.format(Math.max(1, Math.round(ms)))} ms`
        : `${(ms / 1000).toFixed(1)} s`,
    progress: (done: number, total: number) =>
      total > 0 ? `${figures.format(done)} of ${figures.format(total)}` : figures.format(done),
  },

  table: {
    rows: (count: number) => plural(count, "row", "rows"),
    firstOf: (shown: number, total: number) =>
      `First ${figures.format(shown)} of ${figures.format(total)} rows`,
    copy: "Copy table",
    download: "Download CSV",
    sort: (column: string) => `Sort by ${column}`,
    showAll: (count: number) => `Show all ${figures.format(count)} rows`,
    showMore: (count: number) => `Show ${figures.format(count)} more rows`,
    empty: "No rows",
    untitled: "Table",
    none: "–",
  },

  approval: {
    title: "Your decision",
    as: (who: string) => `As ${who}`,
    undoable: "Can be undone",
    final: "Cannot be undone",
    expires: (when: string) => `Expires ${when}`,
    arguments: "Exactly what will be sent",
    allow: "Allow once",
    deny: "Do not allow",
    waiting: "Waiting for your decision",
  },

  sources: { title: "Sources", page: (page: number) => `page ${page}` },

  details: {
    model: "Model",
    when: "When",
    first: "First word",
    total: "Total",
    input: "Tokens in",
    cached: "Tokens in, cached",
    output: "Tokens out",
    reasoning: "Tokens of thinking",
    cost: "Cost",
    unpriced: "not known: no list has a price for this model",
    ended: "Ended",
    endings: {
      stop: "Complete",
      length: "At its length limit",
      "content-filter": "By a content filter",
      content_filter: "By a content filter",
      interrupted: "Stopped",
      error: "With an error",
    } as Record<string, string>,
    turn: "Turn",
    counted: "Tokens are",
    estimated: "estimated",
    none: "No figures were recorded for this answer.",
  },
} as const;
