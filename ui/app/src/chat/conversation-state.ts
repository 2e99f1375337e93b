/** What the page knows of a conversation beside its messages. */
import type { Failure } from "../kit/problems";
import type { Line } from "./reconnect";

export interface Progress {
  done: number;
  total: number;
  text: string;
}

export interface ConversationState {
  phase: "loading" | "ready" | "missing" | "failed";
  title: string;
  loadFailure: Failure | null;
  /** Where the messages before the loaded ones begin; null when all are loaded. */
  older: string | null;
  loadingOlder: boolean;
  status: string;
  /** How much of the answer there was when the status came; with more it is old news. */
  statusAt: number;
  progress: Record<string, Progress>;
  line: Line;
  stopping: boolean;
  /** Why an answer that was to be stopped goes on: it is not confirmed yet, or nobody was told. */
  unstopped: "" | "pending" | "failed";
  draft: string;
  queued: string;
  /** What was sent last from here, by the id it had then. */
  asked: string;
  /** The last request never reached the server, so its message is only here. */
  unsent: boolean;
  /** Personal data in this conversation that the model never sees; the user's own to read. */
  masked: string[];
  /** What could be asked next, and under which answer it stands. */
  followups: { under: string; questions: string[] };
}

export const initialState: ConversationState = {
  phase: "ready",
  title: "",
  loadFailure: null,
  older: null,
  loadingOlder: false,
  status: "",
  statusAt: 0,
  progress: {},
  line: "online",
  stopping: false,
  unstopped: "",
  draft: "",
  queued: "",
  asked: "",
  unsent: false,
  masked: [],
  followups: { under: "", questions: [] },
};

/** What is left of an answer that was being made. */
export const NOTHING_RUNS = {
  status: "",
  progress: {},
  stopping: false,
  unstopped: "",
} satisfies Partial<ConversationState>;
