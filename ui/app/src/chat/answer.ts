/**
 * An assistant message as people read it: what led to the answer, then the answer. Pure: the same
 * parts always give the same view, whether they were streamed, replayed or loaded.
 */
import type { DynamicToolUIPart } from "ai";
import type { Failure } from "../kit/problems";
import type { ChatMessage, ChatPart, ToolOutput } from "./types";

export interface ToolView {
  id: string;
  name: string;
  title: string;
  state: "running" | "done" | "failed" | "unfinished" | "approval" | "denied";
  input: unknown;
  text: string;
  widget: unknown;
  elapsedMs: number;
  approval?: { id: string; descriptor: Record<string, unknown> };
  /** Why it was declined: person, expired, superseded, stopped. */
  cause?: string;
}

export type Item =
  | { kind: "reasoning"; key: string; text: string; live: boolean; elapsedMs: number }
  | { kind: "text"; key: string; text: string; live: boolean; final: boolean; withdrawn: boolean }
  | { kind: "tool"; key: string; tool: ToolView }
  | { kind: "widget"; key: string; widget: unknown }
  | { kind: "notice"; key: string; text: string }
  | { kind: "restart"; key: string };

export interface Source {
  id: string;
  title: string;
  url: string;
  page: number | null;
}

export interface AnswerView {
  items: Item[];
  sources: Source[];
  failure: Failure | null;
  /** The answer as markdown, without thinking, narration or tools. */
  markdown: string;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function readOutput(output: unknown): ToolOutput {
  if (typeof output === "string") return { text: output };
  if (!isRecord(output)) return output === undefined ? {} : { text: JSON.stringify(output) };
  if (typeof output["text"] !== "string" && output["widget"] === undefined) {
    return { text: JSON.stringify(output) };
  }
  return {
    status: typeof output["status"] === "string" ? output["status"] : "ok",
    text: typeof output["text"] === "string" ? output["text"] : "",
    widget: output["widget"],
    elapsedMs: typeof output["elapsedMs"] === "number" ? output["elapsedMs"] : 0,
  };
}

function toolState(part: DynamicToolUIPart, live: boolean): ToolView["state"] {
  switch (part.state) {
    case "output-available":
      if (part.preliminary) return live ? "running" : "unfinished";
      return readOutput(part.output).status === "failed" ? "failed" : "done";
    case "output-error":
      return "failed";
    case "output-denied":
      return "denied";
    case "approval-requested":
      return "approval";
    default:
      return live ? "running" : "unfinished";
  }
}

function toolView(part: DynamicToolUIPart, live: boolean): ToolView {
  const output: ToolOutput = part.state === "output-available" ? readOutput(part.output) : {};
  const view: ToolView = {
    id: part.toolCallId,
    name: part.toolName,
    title: part.title ?? part.toolName.replace(/^.*__/, "").replaceAll("_", " "),
    state: toolState(part, live),
    input: part.input,
    text: part.state === "output-error" ? part.errorText : (output.text ?? ""),
    widget: output.widget,
    elapsedMs: output.elapsedMs ?? 0,
  };
  if (part.state === "approval-requested") {
    const descriptor: unknown = (part.approval as { descriptor?: unknown }).descriptor;
    view.approval = { id: part.approval.id, descriptor: isRecord(descriptor) ? descriptor : {} };
  }
  if (part.state === "output-denied") view.cause = part.approval?.reason ?? "person";
  return view;
}

/** Parts grouped by model call; a round that led to tools is work, the last one is the answer. */
function splitRounds(parts: ChatPart[]): { parts: [ChatPart, number][]; work: boolean }[] {
  const rounds: { parts: [ChatPart, number][]; work: boolean }[] = [];
  parts.forEach((part, at) => {
    if (part.type === "step-start" || rounds.length === 0) rounds.push({ parts: [], work: false });
    const round = rounds.at(-1);
    if (round === undefined || part.type === "step-start") return;
    if (part.type === "data-restart") {
      round.parts = round.parts.filter(([told]) => told.type === "data-notice");
    }
    if (part.type === "dynamic-tool") round.work = true;
    if (part.type === "data-round") round.work = part.data.kind === "reasoning";
    round.parts.push([part, at]);
  });
  return rounds;
}

function reasoningMs(part: ChatPart): number {
  if (part.type !== "reasoning") return 0;
  const value = part.providerMetadata?.["parlour"]?.["elapsedMs"];
  return typeof value === "number" ? value : 0;
}

function toItem(
  part: ChatPart,
  key: string,
  live: boolean,
  last: boolean,
  final: boolean,
): Item | null {
  switch (part.type) {
    case "text":
      if (part.text === "") return null;
      return { kind: "text", key, text: part.text, live: live && last, final, withdrawn: false };
    case "reasoning": {
      const streaming = live && last && part.state === "streaming";
      return {
        kind: "reasoning",
        key,
        text: part.text,
        live: streaming,
        elapsedMs: reasoningMs(part),
      };
    }
    case "dynamic-tool":
      return { kind: "tool", key: `tool-${part.toolCallId}`, tool: toolView(part, live) };
    case "data-widget":
      return { kind: "widget", key, widget: part.data };
    case "data-notice":
      if (part.data.kind === "masked") return null; // marked where the values stand
      return { kind: "notice", key, text: part.data.text };
    case "data-restart":
      return { kind: "restart", key };
    case "file":
      return {
        kind: "widget",
        key,
        widget: { kind: "image", url: part.url, mediaType: part.mediaType },
      };
    default:
      return null;
  }
}

function toSource(part: ChatPart): Source | null {
  if (part.type === "source-url") {
    return { id: part.sourceId, title: part.title ?? part.url, url: part.url, page: null };
  }
  if (part.type !== "source-document") return null;
  const page = part.providerMetadata?.["parlour"]?.["page"];
  return {
    id: part.sourceId,
    title: part.title,
    url: "",
    page: typeof page === "number" ? page : null,
  };
}

/** `live` says that this message is being made right now; parts alone cannot tell. */
export function readAnswer(message: ChatMessage, live: boolean): AnswerView {
  const rounds = splitRounds(message.parts);
  const shown = (part: ChatPart) => !part.type.startsWith("data-") && part.type !== "step-start";
  const lastAt = message.parts.findLastIndex(shown);
  let items: Item[] = [];
  for (const round of rounds) {
    for (const [part, at] of round.parts) {
      if (part.type === "data-replace") {
        items = items.filter((item) => item.kind !== "text" && item.kind !== "reasoning");
        const text = part.data.text;
        items.push({ kind: "text", key: `${at}`, text, live: false, final: true, withdrawn: true });
        continue;
      }
      const item = toItem(part, `${at}`, live, at === lastAt, !round.work);
      if (item !== null) items.push(item);
    }
  }
  const failed = message.parts.findLast((part) => part.type === "data-error");
  return {
    items,
    sources: message.parts.map(toSource).filter((source) => source !== null),
    failure: failed?.type === "data-error" ? failed.data : null,
    markdown: items
      .filter((item) => item.kind === "text" && item.final)
      .map((item) => (item.kind === "text" ? item.text : ""))
      .join("\n\n")
      .trim(),
  };
}

/** Whether something on the screen already moves, so that no extra "Thinking" line is needed. */
export function isVisiblyWorking(view: AnswerView): boolean {
  return view.items.some(
    (item) =>
      ((item.kind === "text" || item.kind === "reasoning") && item.live) ||
      (item.kind === "tool" && (item.tool.state === "running" || item.tool.state === "approval")),
  );
}
