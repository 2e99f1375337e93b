/**
 * The proof of who is asking. It lives in memory only and never in a cookie, in storage or in an
 * address that is sent: a host hands it over in the fragment, which stays in the browser, or
 * installs a provider that fetches a fresh one.
 */

export type TokenProvider = () => Promise<string | null>;

let token: string | null = null;
let provider: TokenProvider | null = null;
let refreshing: Promise<string | null> | null = null;

/** Take `#token=…` out of the address before anything else can read or share it. */
export function adoptFragment(): void {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found === null) return;
  token = found;
  history.replaceState(null, "", location.pathname + location.search);
}

export function setTokenProvider(next: TokenProvider | null): void {
  provider = next;
}

export async function getToken(): Promise<string | null> {
  return token ?? refreshToken();
}

/** Ask the provider once, however many requests failed at the same moment. */
export function refreshToken(): Promise<string | null> {
  if (provider === null) return Promise.resolve(token);
  refreshing ??= provider()
    .then((fresh) => {
      token = fresh;
      return fresh;
    })
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

export const canRefresh = () => provider !== null;
