/** One way to the server: the token on every request, a silent refresh after 401, problems as errors. */

import { fromResponse, RequestFailed, toFailure } from "./problems";
import { createStore } from "./store";
import { canRefresh, getToken, refreshToken } from "./token";

export const access = createStore<{ signedOut: boolean }>({ signedOut: false });

const base = import.meta.env.BASE_URL.replace(/\/$/, "");
export const url = (path: string) => `${base}${path}`;

async function once(input: RequestInfo | URL, init: RequestInit, token: string | null) {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  return fetch(input, { ...init, headers, credentials: "same-origin" });
}

/** `fetch` with the token. A 401 is tried again once with a fresh token, then people are told. */
export async function authorisedFetch(input: RequestInfo | URL, init: RequestInit = {}) {
  const response = await once(input, init, await getToken());
  if (response.status !== 401) return response;
  if (canRefresh()) {
    const again = await once(input, init, await refreshToken());
    if (again.status !== 401) return again;
  }
  access.set({ signedOut: true });
  return response;
}

/** JSON from the server. Raises `RequestFailed` for everything that is not a 2xx with JSON. */
export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  let response: Response;
  try {
    response = await authorisedFetch(url(path), init);
  } catch (error) {
    throw new RequestFailed(toFailure(error));
  }
  const raw = await response.text();
  if (!response.ok) throw new RequestFailed(fromResponse(response.status, raw));
  return (raw === "" ? undefined : JSON.parse(raw)) as T;
}
