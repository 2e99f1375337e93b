/** Every word the page says, so that another language is another catalogue. */
import { disclosureStrings } from "./strings/disclosure";
import { errorStrings } from "./strings/errors";
import { limitStrings } from "./strings/limits";
import { shellStrings } from "./strings/shell";
import { threadStrings } from "./strings/thread";
import { workStrings } from "./strings/work";

export const strings = {
  language: "en",
  direction: "ltr",
  product: "Parlour",
  skip: "Skip to the conversation",
  loading: "Loading",
  close: "Close",
  cancel: "Cancel",
  undo: "Undo",
  copy: "Copy",
  copied: "Copied",
  retry: "Try again",
  more: "More",
  ...shellStrings,
  ...threadStrings,
  ...workStrings,
  ...disclosureStrings,
  ...errorStrings,
  ...limitStrings,
} as const;
