/** The message as the page holds it: the AI SDK's, with our metadata and our data parts. */
import type { UIMessage } from "ai";
import type { Failure } from "../kit/problems";
import type { AnswerRoute, PageContext, Usage } from "../wire";

export interface Metadata {
  turnId?: string;
  model?: string;
  userMessageId?: string;
  disclosure?: string;
  createdAt?: string;
  status?: string;
  stopped?: boolean;
  finishReason?: string;
  elapsedMs?: number;
  firstTokenMs?: number;
  usage?: Usage;
  versions?: string[];
  /** By which approved route it was answered. */
  route?: AnswerRoute;
  /** The id that a question was sent with, once the server has given it another. */
  sentAs?: string;
  /** Where a question was asked. */
  page?: PageContext;
}

export type DataTypes = {
  round: { round: number; kind: "reasoning" | "answer" };
  status: { text: string };
  progress: { call_id?: string; callId?: string; done: number; total?: number; text?: string };
  notice: { kind: string; text: string };
  replace: { text: string; reason?: string };
  restart: { round?: number; reason?: string };
  widget: unknown;
  error: Failure;
};

export type ChatMessage = UIMessage<Metadata, DataTypes>;
export type ChatPart = ChatMessage["parts"][number];

/** What a finished tool hands to the page. */
export interface ToolOutput {
  status?: string;
  text?: string;
  widget?: unknown;
  elapsedMs?: number;
}
