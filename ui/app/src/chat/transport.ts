/** The AI SDK's transport with our rules: only the new message is sent, the line is watched. */
import { DefaultChatTransport } from "ai";
import { disclosure } from "../disclosure";
import { authorisedFetch, url } from "../kit/http";
import { idleFetch } from "./idle-fetch";
import type { ChatMessage } from "./types";

const PRECONDITION_REQUIRED = 428; // something has to be shown first

export interface TransportHooks {
  /** The message that the next request replaces: an edited question or an answer. */
  target(): string | null;
  /** The server has taken the request; from here on the answer outlives this page. */
  accepted(): void;
}

/** The body of a POST. The server owns the history, so it is never sent. */
export function requestBody(
  id: string,
  messages: ChatMessage[],
  trigger: "submit-message" | "regenerate-message",
  target: string | null,
  receipt: string | null = null,
): object {
  const last = messages.at(-1);
  const body: Record<string, unknown> = { id, trigger };
  if (receipt !== null) body["disclosure_receipt"] = receipt;
  if (target !== null) body["messageId"] = target;
  if (last?.metadata?.page !== undefined) body["context"] = last.metadata.page;
  if (last !== undefined) {
    const parts = last.parts.filter((part) => part.type === "text" || part.type === "file");
    body["message"] = {
      id: last.id,
      role: "user",
      parts: parts.map((part) => (part.type === "text" ? { type: "text", text: part.text } : part)),
    };
  }
  return body;
}

export function chatTransport(hooks: TransportHooks): DefaultChatTransport<ChatMessage> {
  const watched = idleFetch(authorisedFetch);
  return new DefaultChatTransport<ChatMessage>({
    api: url("/api/chat"),
    // Says which events this client understands, such as the restart of a round.
    headers: { "x-parlour-client": "ai-sdk/7" },
    fetch: async (input, init) => {
      const response = await watched(input, init);
      if (response.ok && init?.method === "POST") {
        disclosure.accepted();
        hooks.accepted();
      } else if (response.status === PRECONDITION_REQUIRED) {
        disclosure.demanded(await response.clone().json());
      }
      return response;
    },
    prepareSendMessagesRequest: ({ id, messages, trigger }) => ({
      body: requestBody(id, messages, trigger, hooks.target(), disclosure.toAcknowledge()),
      headers: { "x-parlour-client": "ai-sdk/7" },
    }),
  });
}
