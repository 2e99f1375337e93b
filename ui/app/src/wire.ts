/** What the server sends: problems, the user, threads, messages and their parts. */

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  code: string;
  retryable?: boolean;
  request_id?: string;
}

export type ModelKind = "hosted" | "local" | "scripted";

export interface Me {
  user: { id: string; name: string; workspace: string };
  local: boolean;
  model: { name: string; label: string; kind: ModelKind; note?: string };
  disclosure: string;
  version: string;
  limits: { message_chars_max: number };
  tour: boolean;
}

export interface Thread {
  id: string;
  title: string;
  created_at: string;
  updated_at: string;
  running_turn?: string | null;
}

export interface ThreadPage {
  threads: Thread[];
  next: string | null;
}

export interface TextPart {
  type: "text";
  text: string;
  round?: number;
}

export interface ReasoningPart {
  type: "reasoning";
  text: string;
  round?: number;
  elapsed_ms?: number;
}

export interface ToolPart {
  type: "tool";
  call_id: string;
  name: string;
  title: string;
  arguments: unknown;
  status?: "running" | "ok" | "failed";
  text?: string;
  widget?: unknown;
  round?: number;
  elapsed_ms?: number;
}

export interface ErrorPart {
  type: "error";
  code: string;
  message: string;
  retryable?: boolean;
  reference?: string;
}

export type Part = TextPart | ReasoningPart | ToolPart | ErrorPart;

/** Tokens in disjoint buckets; `cost_micros` is millionths of a US dollar. */
export interface Usage {
  input?: number;
  cache_read?: number;
  cache_write?: number;
  output?: number;
  reasoning?: number;
  estimated?: boolean;
  cost_micros?: number;
}

export interface Message {
  id: string;
  role: "user" | "assistant";
  parts: Part[];
  status: "done" | "stopped" | "failed" | "running" | "waiting";
  turn?: string | null;
  parent?: string | null;
  versions?: string[];
  created_at: string;
  metadata?: {
    model?: string;
    usage?: Usage;
    finish_reason?: string;
    elapsed_ms?: number;
    first_token_ms?: number;
  };
}

export interface ThreadView {
  thread: Thread;
  messages: Message[];
  next: string | null;
}

export interface MessagePage {
  messages: Message[];
  next: string | null;
}
