/** The words of a conversation: before it, in it, and the box below. */
import type { PageContext } from "../wire";
import { plural } from "./figures";

export const threadStrings = {
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
      { title: "Your decision", text: "Call this conversation My first tour" },
      { title: "A slow tool", text: "Bake me an imaginary loaf" },
      { title: "A failing tool", text: "Show me a tool that fails" },
      { title: "A limit", text: "Work out four sums at once" },
      { title: "An invented link", text: "Show me a link you made up" },
      { title: "A long answer", text: "Show me a long answer" },
      { title: "Stop and reload", text: "Count slowly to 60" },
    ],
  },

  inView: {
    now: "In view:",
    asked: "Asked from",
    suggestions: ({ kind = "", selection, text }: PageContext) => {
      const thing = kind === "" ? "page" : kind.replaceAll("_", " ");
      return [
        { title: "Explain", text: `Explain this ${thing}.` },
        selection === undefined
          ? { title: "Look closer", text: `What stands out in this ${thing}?` }
          : { title: "Your selection", text: "What does the part that I selected mean?" },
        text === undefined
          ? { title: "Check", text: `What should I check before I rely on this ${thing}?` }
          : { title: "Check", text: `Look for mistakes in the text of this ${thing}.` },
        { title: "Go on", text: `What could I do next with this ${thing}?` },
      ];
    },
  },

  composer: {
    label: "Message",
    placeholder: "Ask anything",
    placeholderAgain: "Reply",
    send: "Send",
    stop: "Stop",
    stopping: "Stopping",
    queued: "Next, when this answer is done",
    queuedLoading: "Next, when this conversation is loaded",
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
    restarted: "Continued after a restart",
    interrupted: "This answer ended early",
    length: "The answer reached its length limit",
    filtered: "The answer was ended by a content filter",
    withdrawn: "Withdrawn",
    masked: "Hidden from the model",
    followups: "Ask next",
    image: (alt: string) => (alt === "" ? "Image" : `Image: ${alt}`),
    external: "opens in a new tab",
    code: "Code",
    copyCode: "Copy code",
    wrap: "Wrap lines",
    noWrap: "Do not wrap lines",
  },
} as const;
