/**
 * A fetch that gives up on a silent line. The server says `: keep-alive` every 10 s, so 25 s without
 * a byte means that nobody is there, even when the socket still looks open.
 */

export const IDLE_MS = 25_000;

type Fetch = (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;

/** The AI SDK treats a TypeError that names the network as a lost connection. */
const lost = () => new TypeError("network timeout");

export function idleFetch(inner: Fetch, idleMs = IDLE_MS): Fetch {
  return async (input, init) => {
    const control = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let silent = false;
    const rest = () => clearTimeout(timer);
    const arm = () => {
      rest();
      timer = setTimeout(() => {
        silent = true;
        control.abort();
      }, idleMs);
    };
    const outer = init?.signal;
    outer?.addEventListener("abort", () => control.abort(outer.reason), { once: true });
    if (outer?.aborted) control.abort(outer.reason);

    arm();
    let response: Response;
    try {
      response = await inner(input, { ...init, signal: control.signal });
    } catch (error) {
      rest();
      throw silent ? lost() : error;
    }
    // A 204 has a body in Chromium, but a new Response with one may not be built.
    if (response.body === null || response.status === 204) {
      rest();
      return response;
    }
    const reader = response.body.getReader();
    const body = new ReadableStream<Uint8Array>({
      async pull(stream) {
        arm();
        try {
          const { done, value } = await reader.read();
          rest();
          if (done) stream.close();
          else stream.enqueue(value);
        } catch (error) {
          rest();
          stream.error(silent ? lost() : error);
        }
      },
      cancel(reason) {
        rest();
        return reader.cancel(reason);
      },
    });
    return new Response(body, { status: response.status, headers: response.headers });
  };
}
