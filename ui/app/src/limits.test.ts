import { describe, expect, it } from "vitest";
import { blocking, type Limit, nearest } from "./limits";

const limit = (more: Partial<Limit>): Limit => ({
  limit: "tokens_per_day",
  scope: "user",
  allowed: 100,
  used: 0,
  left: 100,
  near: false,
  resets_at: null,
  resets_in_s: 60,
  ...more,
});

describe("limits", () => {
  it("lets people write while something is left of each", () => {
    const all = [limit({ left: 1, used: 99, near: true })];
    expect(blocking({ all, refused: null })).toBeUndefined();
    expect(nearest({ all })).toBe(all[0]);
  });

  it("is off for as long as the limit that lasts longest", () => {
    const hour = limit({ limit: "requests_per_hour", left: 0, resets_in_s: 100 });
    const day = limit({ left: 0, resets_in_s: 5000 });
    expect(blocking({ all: [hour, day], refused: null })).toBe(day);
  });

  it("is off when a message was refused although something is left", () => {
    const day = limit({ left: 3, near: true });
    expect(blocking({ all: [day], refused: "tokens_per_day" })).toBe(day);
  });

  it("never waits for answers under way", () => {
    const turns = limit({ limit: "turns_at_once", left: 0, resets_in_s: null });
    expect(blocking({ all: [turns], refused: null })).toBeUndefined();
  });
});
