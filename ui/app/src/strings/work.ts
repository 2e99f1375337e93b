/** The words for what was done: thinking, tools, tables, decisions, sources, figures. */
import { whenDone, whileRunning } from "../tool-words";
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
    running: whileRunning,
    done: whenDone,
    failedTool: "did not work",
    notCalledTool: "was not called",
    unfinished: "not finished",
    arguments: "What it was given",
    result: "What came back",
    empty: "Nothing",
    showEverything: "Show everything",
    showMore: "Show more",
    keptNoLonger: "All of it is kept no longer. Ask again to get it anew.",
    notLoaded: "It could not be loaded. Try again in a moment.",
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
    what: (title: string, server: string) => (server === "" ? title : `${title} (${server})`),
    asName: "As",
    undoName: "Undo",
    undoable: "Can be undone",
    final: "May not be possible; treat it as final",
    expiresName: "Until",
    expires: (when: string, left: number) =>
      left < 90
        ? `${when}, in ${plural(left, "second", "seconds")}`
        : `${when}, in ${plural(Math.round(left / 60), "minute", "minutes")}`,
    expired: "The time is over; it will not be done",
    arguments: (tool: string) => `Exactly what ${tool} will get`,
    decline: "Do not allow",
    allow: "Allow once",
    aside: "Nothing happens until you decide. Writing something else declines it.",
    allowed: "You allow this; another decision is missing",
    declined: "You do not allow this; another decision is missing",
    waitingSaid: "Your decision is needed.",
    reasons: {
      listed: "Whoever set this up wants you to be asked.",
      destructive: "It can change or delete things for good.",
      writes: "It changes something.",
      unknown: "It does not say whether it changes something.",
      statement: "The statement does more than read, or cannot be judged.",
      untrusted: "Text that others wrote was read for this answer, so nothing acts without you.",
    } as Record<string, string>,
    causes: {
      person: "you did not allow this",
      expired: "nobody decided in time",
      superseded: "you wrote something else instead",
      stopped: "you stopped it",
    } as Record<string, string>,
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
    route: "Route",
    nowhere: "region not stated",
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
