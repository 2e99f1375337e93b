/**
 * zod, which the AI SDK reads the stream with, asks once whether `eval` is allowed. The page's policy
 * forbids it and the browser reports the attempt, so zod is told beforehand. Import this first.
 */

const shared = globalThis as { __zod_globalConfig?: { jitless?: boolean } };
shared.__zod_globalConfig = { ...shared.__zod_globalConfig, jitless: true };
