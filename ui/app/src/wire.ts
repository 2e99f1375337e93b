/** The generated contract under the page's names, and the insides that it leaves open. */
import type { ConversationBody, MeBody, MessageBody, MessagesBody, PageBody } from "./contract/api";
import type { Failure, Notice, ToolCall, ToolResult, UsageReport } from "./contract/events";

export type {
  ResultBody as WholeResult,
  ThreadBody as Thread,
  ThreadsBody as ThreadPage,
} from "./contract/api";

/** What the host says its user looks at. */
export type PageContext = Omit<PageBody, "id"> & { id?: string };

export type Me = Omit<MeBody, "limits"> & { limits: { message_chars_max: number } };

/** Tokens in disjoint buckets; `cost_micros` is millionths of a US dollar. */
export type Usage = Omit<UsageReport, "type">;

interface InRound {
  /** Which model call of the turn, from 1. */
  round?: number;
}

type Words = {
  type: "text";
  text: string;
  /** Why it stands in place of an answer that was withdrawn. */
  withdrawn?: string;
} & InRound;
type Thought = { type: "reasoning"; text: string; elapsed_ms?: number } & InRound;
type Call = Omit<ToolCall, "type"> &
  Partial<Pick<ToolResult, "text" | "widget" | "elapsed_ms">> &
  InRound & {
    type: "tool";
    status?: "running" | "waiting" | ToolResult["status"];
    approval?: ApprovalNote;
  };

/** What a person was asked about a call: the real tool with its literal arguments. */
interface ApprovalNote {
  id: string;
  server: string;
  tool: string;
  arguments: unknown;
  acts_as: string;
  undoable?: boolean;
  reason?: string;
  expires_at?: string;
  /** Why it was declined when nobody said no: expired, superseded, stopped. */
  cause?: string;
}

/** The route of an answer: exactly which model, and where; an empty region is not stated. */
export interface AnswerRoute {
  name: string;
  model: string;
  region: string;
}

export type Part = Words | Thought | Call | (Notice & InRound) | ({ type: "error" } & Failure);

export type Message = Omit<MessageBody, "parts" | "metadata" | "versions"> & {
  parts: Part[];
  versions?: string[];
  metadata?: {
    model?: string;
    usage?: Usage;
    finish_reason?: string;
    elapsed_ms?: number;
    first_token_ms?: number;
    page?: unknown;
    route?: AnswerRoute;
    /** Rounds that were begun anew, after the process that made the answer was gone. */
    restarts?: number[];
  };
};

export type ThreadView = Omit<ConversationBody, "messages"> & { messages: Message[] };
export type MessagePage = Omit<MessagesBody, "messages"> & { messages: Message[] };
