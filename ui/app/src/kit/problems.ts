/** Failures in one shape, whether they came as problem+json, as an error frame or from the network. */
import { strings } from "../strings";

export interface Failure {
  code: string;
  message: string;
  retryable: boolean;
  reference: string;
  status?: number;
  /** Which limit has refused it. */
  limit?: string;
}

export class RequestFailed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
    this.name = "RequestFailed";
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: unknown) => (typeof value === "string" ? value : "");

function fromRecord(body: Record<string, unknown>, status?: number): Failure {
  const failure: Failure = {
    code: text(body["code"]) || (status === undefined ? "internal" : `http_${status}`),
    message: text(body["message"]) || text(body["detail"]) || text(body["title"]),
    retryable: typeof body["retryable"] === "boolean" ? body["retryable"] : (status ?? 500) >= 500,
    reference: text(body["reference"]) || text(body["request_id"]),
  };
  const limit = text(body["limit"]);
  if (limit !== "") failure.limit = limit;
  return status === undefined ? failure : { ...failure, status };
}

function parse(raw: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(raw);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

export function fromResponse(status: number, body: string): Failure {
  // A body that is not ours (a proxy's page) is never shown to people.
  return fromRecord(parse(body) ?? {}, status);
}

const statusOf = (error: Error): number | undefined => {
  const status = "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" ? status : undefined;
};

/** Any thrown value as a failure that can be shown. */
export function toFailure(error: unknown): Failure {
  if (error instanceof RequestFailed) return error.failure;
  if (!(error instanceof Error)) return fromRecord({});
  const body = parse(error.message);
  if (body !== null) return fromRecord(body, statusOf(error));
  if (error instanceof TypeError) {
    return { code: "network", message: "", retryable: true, reference: "" };
  }
  return fromRecord({ retryable: true }, statusOf(error));
}

/** What to do about it, in one sentence; empty when the server's own words say it already. */
export function adviceFor({ code, message, retryable }: Failure): string {
  const { advice } = strings.errors;
  if (message !== "" && (!retryable || /\bagain\b/i.test(message))) return "";
  return advice[code] ?? (retryable ? advice["other"] : advice["final"]) ?? "";
}
