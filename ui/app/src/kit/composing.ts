/** Whether a key belongs to an input method, which ends a composition with Enter too. */
import type { KeyboardEvent } from "react";

/** 229: Safari ends a composition before the key that ended it arrives. */
export const isComposing = ({ nativeEvent, keyCode }: KeyboardEvent) =>
  nativeEvent.isComposing || keyCode === 229;
