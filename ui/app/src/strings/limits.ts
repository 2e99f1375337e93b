/** The words for what is left, and for why nothing can be sent. */
import { figures } from "./figures";

const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const NANOS = 1e9;

const bare = (limit: string, count: number) =>
  limit.startsWith("dollars") ? dollars.format(count / NANOS) : figures.format(count);

const amount = (limit: string, count: number) => {
  if (limit.startsWith("dollars")) return bare(limit, count);
  return `${bare(limit, count)} ${limit.startsWith("tokens") ? "tokens" : "questions"}`;
};

const span = (limit: string) => {
  if (limit.endsWith("_hour")) return "this hour";
  return limit.endsWith("_day") ? "today" : "this month";
};

export const limitStrings = {
  limits: {
    refused: "A limit is reached. What is left, and until when, stands above the box.",
    left: (limit: string, left: number, allowed: number, shared: boolean, when: string) =>
      `${bare(limit, left)} of ${amount(limit, allowed)} left ${span(limit)}${
        shared ? " for everybody in your workspace" : ""
      }.${when === "" ? "" : ` More ${when}.`}`,
    off: (limit: string, allowed: number, shared: boolean, when: string) =>
      `${shared ? "Your workspace has" : "You have"} used the ${amount(limit, allowed)} ${
        shared ? "that everybody shares " : ""
      }${span(limit)}.${when === "" ? "" : ` You can write again ${when}.`}`,
    placeholder: "Nothing can be sent at the moment",
    at: (time: string) => `at ${time}`,
    on: (date: string) => `on ${date}`,
  },
} as const;
