/** The calls of the contract, one function each. */
import type {
  ApprovalsBody,
  DecidedBody,
  DecisionBody,
  FollowupsBody,
  LimitsBody,
} from "../contract/api";
import type { Me, MessagePage, Thread, ThreadPage, ThreadView, WholeResult } from "../wire";
import { request } from "./http";

const id = encodeURIComponent;
export const PAGE_SIZE = 30; // more makes the first paint of long threads slow

export const api = {
  me: () => request<Me>("GET", "/api/me"),
  limits: () => request<LimitsBody>("GET", "/api/limits"),
  threads: (before: string | null, limit = PAGE_SIZE) =>
    request<ThreadPage>(
      "GET",
      `/api/threads?limit=${limit}${before === null ? "" : `&before=${id(before)}`}`,
    ),
  thread: (thread: string) =>
    request<ThreadView>("GET", `/api/threads/${id(thread)}?limit=${PAGE_SIZE}`),
  messages: (thread: string, before: string) =>
    request<MessagePage>(
      "GET",
      `/api/threads/${id(thread)}/messages?limit=${PAGE_SIZE}&before=${id(before)}`,
    ),
  rename: (thread: string, title: string) =>
    request<Thread>("PATCH", `/api/threads/${id(thread)}`, { title }),
  remove: (thread: string) => request<undefined>("DELETE", `/api/threads/${id(thread)}`),
  version: (thread: string, message: string) =>
    request<ThreadView>("POST", `/api/threads/${id(thread)}/versions`, { message_id: message }),
  result: (thread: string, handle: string, offset: number) =>
    request<WholeResult>(
      "GET",
      `/api/threads/${id(thread)}/results/${id(handle)}?offset=${offset}`,
    ),
  followups: (thread: string, turn: string) =>
    request<FollowupsBody>("GET", `/api/threads/${id(thread)}/turns/${id(turn)}/followups`),
  approvals: (thread: string) =>
    request<ApprovalsBody>("GET", `/api/threads/${id(thread)}/approvals`),
  decide: (thread: string, approval: string, decision: DecisionBody["decision"]) =>
    request<DecidedBody>("POST", `/api/threads/${id(thread)}/approvals/${id(approval)}`, {
      decision,
    }),
  stop: (thread: string) => request<undefined>("POST", `/api/chat/${id(thread)}/stop`),
};
