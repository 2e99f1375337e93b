// biome-ignore-all lint: generated
// biome-ignore-all format: generated
// biome-ignore-all assist: generated
// Generated from contract/openapi.json by `make docs`; change the server's types instead.

/** A person's decision on a tool call that waits. */
export interface ApprovalAnswer {
  approvalId: string;
  approved: boolean;
  [key: string]: unknown;
}

/** A tool call that waits for a person, or did: exactly what would be sent, and as whom. */
export interface ApprovalBody {
  id: string;
  state: "waiting" | "approved" | "declined" | "expired";
  /** The turn that waits. */
  turn_id: string;
  call_id: string;
  title: string;
  server: string;
  /** The server's own name of the tool. */
  tool: string;
  arguments: unknown;
  /** In whose name it would be done. */
  acts_as: string;
  /** Whether what it does is known to be undoable. */
  undoable: boolean;
  /** Why it asks; a stable word. */
  reason: string;
  expires_at: string;
  decided_by: string | null;
  decided_at: string | null;
  /** `person`, `expired`, `superseded` or `stopped`. */
  cause: string | null;
}

/** What waits in a conversation. */
export interface ApprovalsBody {
  approvals: ApprovalBody[];
}

/** What to approve. */
export interface ApproveToolsBody {
  server: string;
  /** null = all of the server. */
  tool?: string | null;
  /** Its beginning; empty = any that waits. */
  digest?: string;
}

/** What was approved. */
export interface ApprovedToolsBody {
  approved: ToolPinBody[];
}

/** A page of links, newest first. */
export interface AuditBody {
  links: AuditLinkBody[];
  /** Pass as `before` for earlier ones; null = no more. */
  next: number | null;
}

/** A link. `user` and `body` are null when the person was erased. */
export interface AuditLinkBody {
  seq: number;
  at: string;
  kind: string;
  turn: string | null;
  user: string | null;
  body: Record<string, unknown> | null;
  hash: string;
}

/** Whether the chain is whole. Keep `seq` and `head` elsewhere: made anew, it has others. */
export interface AuditVerdictBody {
  seq: number;
  head: string;
  erased: number;
  broken_at: number | null;
  why: string;
}

/** The body that `DefaultChatTransport` posts, whole or reduced to the last message. */
export interface ChatBody {
  /** The chat: Parlour's thread. */
  id: string;
  trigger?: "submit-message" | "regenerate-message";
  /** The user message that was edited, or the answer to make anew. */
  messageId?: string | null;
  message?: UiMessage | null;
  messages?: UiMessage[];
  /** Decisions on the calls that wait; else those in the last message are taken. */
  approvals?: ApprovalAnswer[];
  /** The page that the user looks at. */
  context?: PageBody | null;
  /** The `edition` of the disclosure that you have just shown. */
  disclosure_receipt?: string | null;
}

/** A message of the conversation that the caller keeps. */
export interface ChatMessageBody {
  role: "system" | "developer" | "user" | "assistant" | "tool" | "function";
  content?: string | ContentPart[] | null;
  [key: string]: unknown;
}

/** A chat completion request. Parameters that Parlour's settings decide are accepted unused. */
export interface CompletionBody {
  model: string;
  messages: ChatMessageBody[];
  stream?: boolean;
  stream_options?: StreamOptions | null;
  /** Ignored: the token says who is asking. */
  user?: string | null;
  n?: 1 | null;
  /** Accepted, not used: Parlour's settings decide. */
  temperature?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  top_p?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  max_tokens?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  max_completion_tokens?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  presence_penalty?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  frequency_penalty?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  seed?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  stop?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  metadata?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  store?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  logit_bias?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  logprobs?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  top_logprobs?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  reasoning_effort?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  response_format?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  service_tier?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  safety_identifier?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  prompt_cache_key?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  verbosity?: unknown;
  /** Accepted, not used: Parlour's settings decide. */
  parallel_tool_calls?: unknown;
  tools?: unknown[] | null;
  /** Accepted, not used: Parlour's settings decide. */
  tool_choice?: unknown;
  /** What Parlour takes beyond the protocol. */
  parlour?: Extras | null;
}

/** A part of a message's content; only text is read. */
export interface ContentPart {
  type: string;
  text?: string;
  [key: string]: unknown;
}

/** A conversation with its newest messages. */
export interface ConversationBody {
  messages: MessageBody[];
  /** Pass as `before` for earlier ones; null = no more. */
  next: string | null;
  /** Personal data in these messages that is kept from the model; yours to read. */
  masked?: string[];
  thread: ThreadBody;
}

/** The decision is stored; it is carried out by a turn of its own. */
export interface DecidedBody {
  approval: ApprovalBody;
  /** All calls of the turn are decided, so it goes on. */
  going_on: boolean;
  /** The turn that goes on; null: in a moment. */
  turn_id: string | null;
  message_id: string | null;
  /** Where to read its events. */
  events: string | null;
}

/** A person's answer. */
export interface DecisionBody {
  decision: "approve" | "decline";
}

/** What the person is told. While `reason` is not null, it has to be shown and acknowledged. */
export interface DisclosureBody {
  edition: string;
  reason: "first" | "changed" | "again" | null;
  locale: string;
  /** All lines in one piece. */
  text: string;
  lines: DisclosureLineBody[];
  receipt?: ReceiptBody | null;
}

/** One text, in the language `lang`. */
export interface DisclosureLineBody {
  text: string;
  lang: string;
  /** before_first_message: shown before; in_header: always visible beside the conversation; on_request: said when somebody asks. */
  placement: string[];
  rules: RuleBody[];
}

/** What Parlour takes beyond the protocol. */
export interface Extras {
  /** The page that the user looks at. */
  context?: PageBody | null;
  /** The `edition` of the disclosure that you have just shown. */
  disclosure_receipt?: string | null;
}

/** What was made of an answer after it ended. */
export interface FollowupsBody {
  /** What the user could ask next; empty = none. */
  questions: string[];
  /** The conversation's title by now. */
  title: string;
}

export interface HTTPValidationError {
  detail?: ValidationError[];
}

/** One limit. Dollars are in billionths (nano-dollars). */
export interface LimitBody {
  limit: "requests_per_hour" | "turns_at_once" | "tokens_per_day" | "tokens_per_month" | "dollars_per_day" | "dollars_per_month";
  scope: "user" | "workspace";
  allowed: number;
  used: number;
  left: number;
  /** So much is used that people should know. */
  near: boolean;
  /** When there is more, RFC 3339; null = no set time. */
  resets_at: string | null;
  /** The same in seconds from now. */
  resets_in_s: number | null;
}

/** The limits of whoever asks. */
export interface LimitsBody {
  tier: string;
  limits: LimitBody[];
}

/** What a page needs before it shows anything. */
export interface MeBody {
  user: PersonBody;
  local: boolean;
  model: ModelBody;
  disclosure: string;
  version: string;
  /** The scripted guide answers: offer the tour. */
  tour: boolean;
  /** Show the route and the cost of each answer. */
  dev: boolean;
  /** Answers have follow-up questions, soon after they end. */
  followups: boolean;
  limits: Record<string, number>;
}

/** A message; `parts` are of type text, reasoning, tool, notice or error. */
export interface MessageBody {
  id: string;
  role: "user" | "assistant";
  parts: Record<string, unknown>[];
  status: "running" | "done" | "stopped" | "waiting" | "failed";
  turn?: string | null;
  parent?: string | null;
  versions: string[];
  created_at: string;
  metadata: Record<string, unknown>;
}

/** A page of messages, oldest first. */
export interface MessagesBody {
  messages: MessageBody[];
  /** Pass as `before` for earlier ones; null = no more. */
  next: string | null;
  /** Personal data in these messages that is kept from the model; yours to read. */
  masked?: string[];
}

/** The model that answers. `note` says what people should know of it. */
export interface ModelBody {
  name: string;
  label: string;
  kind: "hosted" | "local" | "scripted";
  note?: string;
}

/** A new conversation. */
export interface NewThreadBody {
  id?: string | null;
  title?: string;
}

/** A message to be answered. */
export interface NewTurnBody {
  /** Your id of this message; sent again, it joins the same turn. */
  message_id?: string | null;
  /** What the person wrote. Empty only to regenerate. */
  text?: string;
  trigger?: "submit" | "edit" | "regenerate";
  /** The message to edit, or whose answer is made anew. */
  target?: string | null;
  /** The page that the user looks at. A new answer keeps the question's. */
  context?: PageBody | null;
  /** The `edition` of the disclosure that you have just shown. */
  disclosure_receipt?: string | null;
}

/** Where the user is. Everything is optional; what does not fit the names goes into `fields`. */
export interface PageBody {
  /** What kind of page: dashboard, chart, editor … */
  kind?: string;
  /** The host's id of what is shown. */
  id?: string | number;
  /** Its title. */
  title?: string;
  /** Its address: http(s), or a path within the host. */
  url?: string;
  /** Anything else that is shown, as JSON. */
  fields?: Record<string, unknown>;
  /** What the user has selected. */
  selection?: string;
  /** Free text in view, such as the SQL in an editor. */
  text?: string;
}

/** Who is signed in. */
export interface PersonBody {
  id: string;
  name: string;
  workspace: string;
}

/** Proof that an edition was shown to the person. */
export interface ReceiptBody {
  id: string;
  surface: string;
  edition: string;
  at: string;
}

/** The person's receipts, newest first. */
export interface ReceiptsBody {
  receipts: ShownReceiptBody[];
}

/** A new title. */
export interface RenameBody {
  title: string;
}

/** A tool result that was too long for the model, whole. */
export interface ResultBody {
  handle: string;
  tool: string;
  title: string;
  /** Characters of the whole text. */
  chars: number;
  /** A page of the text. */
  text: string;
  /** `offset` of the next page; null = this is the last. */
  next: number | null;
  /** What people are shown, whole; null = the text is all. */
  widget?: unknown;
  created_at: string;
  expires_at: string;
}

/** A rule that asks for a text. */
export interface RuleBody {
  id: string;
  version: number;
}

/** The client has shown an edition. */
export interface ShownBody {
  edition: string;
  surface?: "chat" | "api" | "openai" | "terminal";
  /** Your name for this visit. */
  session?: string;
}

/** A receipt from the audit chain, with everything that was shown. */
export interface ShownReceiptBody {
  /** Its place in the audit chain of the workspace. */
  seq: number;
  at: string;
  hash: string;
  body: Record<string, unknown>;
}

/** A turn is under way. */
export interface StartedBody {
  turn_id: string;
  thread_id: string;
  message_id: string;
  /** Where to read its events. */
  events: string;
  /** The same message had been sent before. */
  joined: boolean;
}

/** The turn has ended, or nothing ran. */
export interface StopBody {
  turn_id: string | null;
}

/** Options of a streamed answer. */
export interface StreamOptions {
  include_usage?: boolean;
  [key: string]: unknown;
}

/** A conversation. */
export interface ThreadBody {
  id: string;
  title: string;
  created_at: string;
  updated_at: string;
  running_turn?: string | null;
}

/** A page of conversations, newest first. */
export interface ThreadsBody {
  threads: ThreadBody[];
  /** Pass as `before` for the next page; null = no more. */
  next: string | null;
}

/** One way in which a server described one tool. */
export interface ToolPinBody {
  server: string;
  /** The server's own name; empty = the server's instructions. */
  tool: string;
  digest: string;
  definition: Record<string, unknown>;
  seen_at: string;
  /** null = disabled until it is approved. */
  approved_at: string | null;
  approved_by: string;
}

/** Every description that a workspace has seen, by server and tool, the newest last. */
export interface ToolPinsBody {
  tools: ToolPinBody[];
}

/** A UI message as the client holds it. */
export interface UiMessage {
  id: string;
  role: "user" | "assistant" | "system";
  parts: UiPart[];
  [key: string]: unknown;
}

/** A part of a UI message; only `text` parts are read. */
export interface UiPart {
  type: string;
  text?: string;
  [key: string]: unknown;
}

export interface ValidationError {
  loc: (string | number)[];
  msg: string;
  type: string;
  input?: unknown;
  ctx?: Record<string, unknown>;
}

/** Which version of a message to show. */
export interface VersionBody {
  message_id: string;
}
