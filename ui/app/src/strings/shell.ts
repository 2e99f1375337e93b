/** The words around a conversation: list, settings, the model, the keys. */

export const shellStrings = {
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
