/** Stored messages as chat messages: the same shape that streaming them would have given. */
import type { DynamicToolUIPart } from "ai";
import { pageContext, toPageContext } from "../page-context";
import type { Message, Part } from "../wire";
import type { ChatMessage, ChatPart, Metadata } from "./types";

type Call = Extract<Part, { type: "tool" }>;

/** A call that waits for a person, or was declined; anything else is null. */
function convertAsked(part: Call, going: boolean): Partial<DynamicToolUIPart> | null {
  const { approval, status } = part;
  if (status === "declined") {
    const { id = "", cause = "person" } = approval ?? {};
    return { state: "output-denied", approval: { id, approved: false, reason: cause } };
  }
  // While the answer goes on, the decision is made.
  if (status !== "waiting" || approval === undefined || going) return null;
  const descriptor = {
    server: approval.server,
    tool: approval.tool,
    arguments: approval.arguments,
    actsAs: approval.acts_as,
    undoable: approval.undoable ?? false,
    reason: approval.reason ?? "",
    expiresAt: approval.expires_at ?? "",
  };
  return { state: "approval-requested", approval: { id: approval.id, descriptor } as never };
}

function convertPart(part: Part, going: boolean): ChatPart {
  switch (part.type) {
    case "text":
      if (part.withdrawn) {
        return { type: "data-replace", data: { text: part.text, reason: part.withdrawn } };
      }
      return { type: "text", text: part.text, state: "done" };
    case "reasoning":
      return {
        type: "reasoning",
        text: part.text,
        state: "done",
        providerMetadata: { parlour: { elapsedMs: part.elapsed_ms ?? 0 } },
      };
    case "tool": {
      const call = {
        type: "dynamic-tool" as const,
        toolName: part.name,
        toolCallId: part.call_id,
        title: part.title,
        input: part.arguments,
      };
      const asked = convertAsked(part, going);
      if (asked !== null) return { ...call, ...asked } as ChatPart;
      if (part.status === "failed") {
        return { ...call, state: "output-error", errorText: part.text ?? "" };
      }
      if (part.status !== "ok") return { ...call, state: "input-available" };
      const output = {
        status: "ok",
        text: part.text ?? "",
        widget: part.widget,
        elapsedMs: part.elapsed_ms,
      };
      return { ...call, state: "output-available", output };
    }
    case "notice":
      return { type: "data-notice", data: { kind: part.kind, text: part.text } };
    case "error": {
      const { code, message, retryable = false, reference = "" } = part;
      return { type: "data-error", data: { code, message, retryable, reference } };
    }
  }
}

const roundOf = (part: Part) => (part.type === "error" ? undefined : part.round);

function convertParts(parts: Part[], restarts: number[], going: boolean): ChatPart[] {
  const withTools = new Set(parts.filter((part) => part.type === "tool").map(roundOf));
  const converted: ChatPart[] = [];
  let open: number | undefined;
  const close = () => {
    if (open === undefined) return;
    const kind = withTools.has(open) ? "reasoning" : "answer";
    converted.push({ type: "data-round", id: `round-${open}`, data: { round: open, kind } });
  };
  for (const part of parts) {
    const round = roundOf(part) ?? open ?? 1;
    if (round !== open) {
      close();
      converted.push({ type: "step-start" });
      open = round;
      if (restarts.includes(round)) converted.push({ type: "data-restart", data: { round } });
    }
    converted.push(convertPart(part, going));
  }
  close();
  return converted;
}

function convertMetadata(message: Message): Metadata {
  const { metadata: kept = {} } = message;
  const metadata: Metadata = {
    createdAt: message.created_at,
    status: message.status,
    versions: message.versions ?? [],
  };
  if (message.status === "stopped") metadata.stopped = true;
  if (message.turn) metadata.turnId = message.turn;
  if (kept.model !== undefined) metadata.model = kept.model;
  if (kept.usage !== undefined) metadata.usage = kept.usage;
  if (kept.finish_reason !== undefined) metadata.finishReason = kept.finish_reason;
  if (kept.elapsed_ms !== undefined) metadata.elapsedMs = kept.elapsed_ms;
  if (kept.first_token_ms !== undefined) metadata.firstTokenMs = kept.first_token_ms;
  if (kept.route !== undefined) metadata.route = kept.route;
  const page = toPageContext(kept.page);
  if (page !== null) metadata.page = page;
  return metadata;
}

/** What a question is sent with: when and where it is asked. */
export function askedNow(): Metadata {
  const page = pageContext.get().value;
  return { createdAt: new Date().toISOString(), ...(page === null ? {} : { page }) };
}

export function toChatMessage(message: Message): ChatMessage {
  const parts =
    message.role === "user"
      ? message.parts.map((part) => convertPart(part, false))
      : convertParts(message.parts, message.metadata?.restarts ?? [], message.status === "running");
  return { id: message.id, role: message.role, parts, metadata: convertMetadata(message) };
}

/**
 * What the server knows and the stream did not say (versions, the final status, a kept error),
 * added to messages that were streamed. The parts people are looking at stay as they are.
 */
export function mergeStored(local: ChatMessage[], stored: Message[]): ChatMessage[] {
  const known = new Map(stored.map((message) => [message.id, toChatMessage(message)]));
  return local.map((message) => {
    const match = known.get(message.id);
    if (match === undefined) return message;
    const metadata = { ...message.metadata, ...match.metadata };
    // What waited for a decision does so no more: the store knows what became of it.
    if (message.parts.some(isAsked) && !match.parts.some(isAsked)) {
      return { ...message, metadata, parts: match.parts };
    }
    const hasError = message.parts.some((part) => part.type === "data-error");
    const error = hasError ? undefined : match.parts.find((part) => part.type === "data-error");
    return {
      ...message,
      metadata,
      parts: error === undefined ? message.parts : [...message.parts, error],
    };
  });
}

const isAsked = (part: ChatPart) =>
  part.type === "dynamic-tool" && part.state === "approval-requested";

export const textOf = (message: ChatMessage) =>
  message.parts
    .filter((part) => part.type === "text")
    .map((part) => part.text)
    .join("\n\n");

/** The server may have given the question an id of its own; edits have to name that one. */
export function withQuestionId(messages: ChatMessage[], answer: ChatMessage): ChatMessage[] {
  const id = answer.metadata?.userMessageId;
  const at = messages.findIndex((message) => message.id === answer.id) - 1;
  const question = messages[at];
  if (id === undefined || question?.role !== "user" || question.id === id) return messages;
  const metadata = { ...question.metadata, sentAs: question.id };
  return messages.with(at, { ...question, id, metadata });
}
