/** Stored messages as chat messages: the same shape that streaming them would have given. */
import { pageContext, toPageContext } from "../page-context";
import type { Message, Part } from "../wire";
import type { ChatMessage, ChatPart, Metadata } from "./types";

function convertPart(part: Part): ChatPart {
  switch (part.type) {
    case "text":
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
    case "error": {
      const { code, message, retryable = false, reference = "" } = part;
      return { type: "data-error", data: { code, message, retryable, reference } };
    }
  }
}

const roundOf = (part: Part) => (part.type === "error" ? undefined : part.round);

function convertParts(parts: Part[]): ChatPart[] {
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
    }
    converted.push(convertPart(part));
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
    message.role === "user" ? message.parts.map(convertPart) : convertParts(message.parts);
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
    const hasError = message.parts.some((part) => part.type === "data-error");
    const error = hasError ? undefined : match.parts.find((part) => part.type === "data-error");
    return {
      ...message,
      metadata,
      parts: error === undefined ? message.parts : [...message.parts, error],
    };
  });
}

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
  return messages.with(at, { ...question, id });
}
