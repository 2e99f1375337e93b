/** Every word the page says, in one place, so that another language is another catalogue. */

const n = new Intl.NumberFormat("en");
const plural = (count: number, one: string, many: string) =>
  `${n.format(count)} ${count === 1 ? one : many}`;

export const strings = {
  product: "Parlour",
  skip: "Skip to the conversation",
  loading: "Loading",
  close: "Close",
  cancel: "Cancel",
  undo: "Undo",
  copy: "Copy",
  copied: "Copied",
  retry: "Try again",
  more: "More",

  list: {
    label: "Conversations",
    open: "Open conversations",
    hide: "Hide conversations",
    show: "Show conversations",
    fresh: "New conversation",
    search: "Search conversations",
    clearSearch: "Clear search",
    none: "Nothing here yet",
    noneHint: "What you talk about is kept here.",
    noMatch: (query: string) => `No conversation called “${query}”`,
    loadMore: "Show older conversations",
    failed: "The list could not be loaded.",
    menu: (title: string) => `Options for ${title}`,
    rename: "Rename",
    renameLabel: "Name of the conversation",
    remove: "Delete",
    removed: (title: string) => `“${title}” deleted`,
    removeFailed: "Deleting failed; the conversation is back in the list.",
    renameFailed: "Renaming failed; the old name is back.",
    running: "Answering now",
    untitled: "New conversation",
    groups: { today: "Today", yesterday: "Yesterday", week: "Last 7 days", older: "Older" },
  },

  top: {
    settings: "Settings",
    theme: "Appearance",
    system: "Match the system",
    light: "Light",
    dark: "Dark",
    shortcuts: "Keyboard shortcuts",
    about: "About this model",
    version: (version: string) => `Parlour ${version}`,
  },

  model: {
    scripted: "Scripted guide",
    aboutTitle: "About this model",
    hosted: (label: string) => `Answers come from ${label}.`,
    localLead: (label: string) =>
      `${label} is a small demo model that runs on this machine. It can use tools, but it is easily confused: expect mistakes, and do not judge the product by its wit.`,
    localShort: "This is a small demo model on this machine. Expect mistakes.",
    scriptedLead:
      "No model is running. A script answers, so that you can see how tools, thinking and results look. What it says is prepared, not thought.",
    scriptedShort: "No model is running: a script gives prepared answers.",
    connect: "Connect a real model",
    connectSteps:
      "Stop the server, put one key into its environment and start it again. Nothing else changes; your conversations stay.",
    connectOther: "Any server that speaks the OpenAI protocol works too:",
  },

  empty: {
    greeting: (hour: number, name: string) => {
      const part =
        hour < 5
          ? "Good evening"
          : hour < 12
            ? "Good morning"
            : hour < 18
              ? "Good afternoon"
              : "Good evening";
      return name === "" ? part : `${part}, ${name}`;
    },
    lead: "Ask anything. Parlour can think, use tools, and show you how it got there.",
    prompts: "Things to try",
    tour: "Guided tour",
    tourHint: "Prepared answers that show what the page can do. No model is asked.",
    suggestions: [
      { title: "Work it out", text: "What is 17.5 % of 2,340?" },
      { title: "Check the clock", text: "What time is it now in Lisbon and in Tokyo?" },
      { title: "Explain", text: "Explain in five sentences how a heat pump works." },
      { title: "Write", text: "Write a short, friendly note that moves a meeting to Thursday." },
    ],
    tours: [
      { title: "A tool", text: "What is 17.5 % of 2,340?" },
      { title: "Thinking", text: "Show me your reasoning" },
      { title: "Two at once", text: "Use two tools at once" },
      { title: "A long answer", text: "Show me a long answer" },
      { title: "Stop and reload", text: "Count slowly to 60" },
      { title: "A failing tool", text: "Show me a tool that fails" },
    ],
  },

  composer: {
    label: "Message",
    placeholder: "Ask anything",
    placeholderAgain: "Reply",
    send: "Send",
    stop: "Stop",
    stopping: "Stopping",
    queued: "Next, when this answer is done",
    unqueue: "Take back",
    tooLong: (over: number) => `${plural(over, "character", "characters")} too long`,
    hint: "Enter to send, Shift and Enter for a new line",
  },

  thread: {
    log: "Conversation",
    you: "You said",
    assistant: "Parlour answered",
    older: "Show earlier messages",
    loadingOlder: "Loading earlier messages",
    latest: "Jump to the latest",
    missingTitle: "This conversation is not here",
    missingText: "It may have been deleted, or it belongs to someone else.",
    failedTitle: "This conversation could not be loaded",
    working: "Parlour is working",
    complete: "Answer complete",
    stoppedSaid: "Answer stopped",
    failedSaid: "The answer failed",
  },

  message: {
    actions: "Message actions",
    copy: "Copy answer",
    copyQuestion: "Copy message",
    edit: "Edit message",
    editLabel: "Edit your message",
    editSend: "Send again",
    editHint: "The conversation continues from here; the earlier version stays reachable.",
    regenerate: "Answer again",
    details: "Details",
    previous: "Previous version",
    next: "Next version",
    version: (at: number, of: number) => `Version ${at} of ${of}`,
    versionFailed: "That version could not be loaded.",
    versionShort: (at: number, of: number) => `${at} / ${of}`,
    stopped: "Stopped",
    interrupted: "This answer ended early",
    length: "The answer reached its length limit",
    filtered: "The answer was ended by a content filter",
    withdrawn: "Withdrawn",
    image: (alt: string) => (alt === "" ? "Image" : `Image: ${alt}`),
    external: "opens in a new tab",
    code: "Code",
    copyCode: "Copy code",
    wrap: "Wrap lines",
    noWrap: "Do not wrap lines",
  },

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
    denied: "You did not allow this",
    took: (ms: number) =>
      ms < 1000 ? `${n.format(Math.max(1, Math.round(ms)))} ms` : `${(ms / 1000).toFixed(1)} s`,
    progress: (done: number, total: number) =>
      total > 0 ? `${n.format(done)} of ${n.format(total)}` : n.format(done),
  },

  table: {
    rows: (count: number) => plural(count, "row", "rows"),
    firstOf: (shown: number, total: number) =>
      `First ${n.format(shown)} of ${n.format(total)} rows`,
    copy: "Copy table",
    download: "Download CSV",
    sort: (column: string) => `Sort by ${column}`,
    showAll: (count: number) => `Show all ${n.format(count)} rows`,
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
    cached: "From cache",
    output: "Tokens out",
    reasoning: "Thinking",
    cost: "Cost",
    ended: "Ended",
    turn: "Turn",
    counted: "Tokens are",
    estimated: "estimated",
    none: "No figures were recorded for this answer.",
  },

  connection: {
    reconnecting: "Reconnecting…",
    lost: "The connection is lost. The answer goes on without it.",
    reconnect: "Reconnect",
    offline: "You are offline. Nothing you typed is lost.",
  },

  errors: {
    title: "This answer failed",
    sendTitle: "Your message was not sent",
    takeBack: "Put it back in the box",
    reference: "Reference",
    code: "Code",
    signInTitle: "You are signed out",
    signIn: "Open this page again from the product you came from. Your conversations are kept.",
    reload: "Reload",
    startTitle: "Parlour cannot be reached",
    start: "The server does not answer. Check that it is running, then try again.",
    /** What to do, by error code; what happened is said by the server. */
    advice: {
      network: "The server cannot be reached. Check your connection and try again.",
      too_long: "Shorten the message and send it again.",
      forbidden: "Ask the people who run this product for access.",
      unauthenticated: "Open this page again from the product you came from.",
      turn_in_progress: "Wait for the running answer or stop it, then try again.",
      overloaded: "Wait a moment, then try again.",
      shutting_down: "The server is restarting. Try again in a few seconds.",
      store_unavailable: "Wait a moment, then try again.",
      upstream_failed: "Try again. If it stays like this, the provider of the model has a problem.",
      turn_lost: "What was said so far is kept. Try again.",
      internal:
        "Something broke on our side. Try again; if it stays like this, pass on the reference.",
      other: "Try again. If it stays like this, pass on the reference.",
      final: "Trying again will not help. Change the message, or pass on the reference.",
    } as Record<string, string>,
    withFile: "Some of the page could not be loaded. Reload to get the new version.",
  },

  shortcuts: {
    title: "Keyboard shortcuts",
    rows: [
      { keys: ["Enter"], does: "Send the message" },
      { keys: ["Shift", "Enter"], does: "New line" },
      { keys: ["↑"], does: "Edit your last message, in an empty box" },
      { keys: ["Esc"], does: "Close what is on top, or leave editing" },
      { keys: ["/"], does: "Go to the message box" },
      { keys: ["Mod", "K"], does: "Search conversations" },
      { keys: ["Mod", "Shift", "O"], does: "New conversation" },
      { keys: ["Mod", "B"], does: "Show or hide conversations" },
      { keys: ["Mod", "Shift", "S"], does: "Stop the answer" },
      { keys: ["?"], does: "Show this list" },
    ],
    control: "Ctrl",
  },
} as const;
