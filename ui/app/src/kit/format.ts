/** Numbers, times and sizes as people read them, in the language of the page. */
import { strings } from "../strings";

/** The person's own variant of the page's language: 24 hours and day before month, if so. */
const language = () => {
  const page = document.documentElement.lang || "en";
  return navigator.languages.find((own) => own.startsWith(page)) ?? page;
};

export const numberFormat = (style: Intl.NumberFormatOptions = {}) =>
  new Intl.NumberFormat(language(), { maximumFractionDigits: 6, ...style });

export const number = (value: number) => numberFormat().format(value);

export const dateTime = (iso: string) => {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" }).format(
    date,
  );
};

const DAY_MS = 86_400_000;

/** A time of day; with `day`, its date before it. */
export const clock = (iso: string, day = false) =>
  new Intl.DateTimeFormat(language(), {
    timeStyle: "short",
    ...(day && { dateStyle: "medium" }),
  }).format(new Date(iso));

/** Whether a time comes within a day, so that the hour says it all. */
export const whenAgain = (iso: string, now: Date) =>
  new Date(iso).getTime() - now.getTime() < DAY_MS;

/** `micros` is millionths of a US dollar. */
export const cost = (micros: number) =>
  new Intl.NumberFormat(language(), {
    style: "currency",
    currency: "USD",
    maximumSignificantDigits: 2,
  }).format(micros / 1e6);

export const duration = strings.work.took;

/** Which group of the list a conversation belongs to, by calendar day. */
export function dayGroup(iso: string, now: Date): keyof typeof strings.list.groups {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const then = new Date(iso).getTime();
  if (then >= midnight) return "today";
  if (then >= midnight - DAY_MS) return "yesterday";
  return then >= midnight - 6 * DAY_MS ? "week" : "older";
}
