// biome-ignore-all lint: generated
// biome-ignore-all format: generated
// biome-ignore-all assist: generated
// Generated from contract/events.schema.json by `make docs`; change the server's types instead.

/**
 * A tool call waits for a person's decision; `finalize` follows with status `waiting`.
 *
 * `server`, `tool` and `arguments` are what will really be called, also where the model called it
 * through another tool. `reason` is why it asks: `listed`, `destructive`, `writes`, `unknown`,
 * `statement` or `untrusted`.
 */
export interface Approval {
  type: "approval";
  approval_id: string;
  call_id: string;
  name: string;
  title: string;
  arguments: unknown;
  acts_as: string;
  undoable?: boolean;
  expires_at?: string;
  server?: string;
  tool?: string;
  reason?: string;
}

export type Event = Plan | Token | Reasoning | ToolCall | ToolResult | RoundEnd | UsageReport | Finalize | Status | Progress | Approval | Source | Replace | Restart | Notice;

/** Why a turn failed, in the words of the error tree (docs/reference/errors.md). */
export interface Failure {
  code: string;
  message: string;
  retryable?: boolean;
  reference?: string;
}

/** The one terminal event of every turn; always the last event. */
export interface Finalize {
  type: "finalize";
  status: "done" | "failed" | "stopped" | "waiting";
  finish_reason?: string;
  error?: Failure;
  first_token_ms?: number;
  elapsed_ms?: number;
}

/**
 * Something people should know beside the answer: `kind` is a stable word.
 *
 * Among them `limit`: a limit kept tools from being called, so something may be missing. Kept
 * with the message, once, but for `masked` and `quota_warning`: those are of the moment.
 */
export interface Notice {
  type: "notice";
  kind: string;
  text: string;
}

/**
 * The turn is accepted and stored; always the first event.
 *
 * A turn that goes on after an approval names the turn that waited (`continues`); the next
 * `repeats` events say again what that one had said, so that each log holds a whole message.
 */
export interface Plan {
  type: "plan";
  turn_id: string;
  thread_id: string;
  message_id: string;
  user_message_id: string;
  model: string;
  disclosure: string;
  continues?: string;
  repeats?: number;
}

/** How far a tool or job is. `total` is 0 when unknown. Transient. */
export interface Progress {
  type: "progress";
  call_id: string;
  done: number;
  total?: number;
  text?: string;
}

/** Thinking text; never part of the answer. */
export interface Reasoning {
  type: "reasoning";
  text: string;
}

/** All text and reasoning of this turn so far is withdrawn; `text` stands in its place. */
export interface Replace {
  type: "replace";
  text: string;
  reason: string;
}

/**
 * The current round starts over: drop the text and calls it has shown so far.
 *
 * Another process goes on with the turn. `takeover` is its number: what follows has it in the id.
 */
export interface Restart {
  type: "restart";
  round: number;
  reason: string;
  takeover?: number;
}

/** A model call and its tools are over. `reasoning` rounds led to tools, `answer` rounds end. */
export interface RoundEnd {
  type: "round_end";
  round: number;
  kind: "answer" | "reasoning";
}

/** A citation or a grounded link. */
export interface Source {
  type: "source";
  source_id: string;
  title: string;
  url?: string;
  document?: string;
  page?: number;
}

/**
 * Still working, in words for people. Transient: not kept with the message.
 *
 * It comes when nothing new could be seen for 2 seconds (`limits.status_s`; again after 10, 30
 * and 60), with the titles of the tools that run, and after each third tool call. What comes next
 * makes it old news.
 */
export interface Status {
  type: "status";
  text: string;
}

/** Text of the answer, as it comes from the model. May be any length above zero. */
export interface Token {
  type: "token";
  text: string;
}

/** The model asks for a tool. `title` is what people read, in the present tense. */
export interface ToolCall {
  type: "tool_call";
  call_id: string;
  name: string;
  title: string;
  arguments: unknown;
}

/**
 * The normalised outcome of a tool call: `text` for the model, `widget` for people.
 *
 * `declined`: a person did not allow it, so it was not made.
 */
export interface ToolResult {
  type: "tool_result";
  call_id: string;
  name: string;
  status: "declined" | "failed" | "ok";
  text: string;
  widget?: unknown;
  elapsed_ms?: number;
}

/** Tokens of the whole turn so far, in disjoint buckets; the last one of a turn is final. */
export interface UsageReport {
  type: "usage";
  input?: number;
  cache_read?: number;
  cache_write?: number;
  output?: number;
  reasoning?: number;
  estimated?: boolean;
  cost_micros?: number;
}
