/** Copies and says so for a moment. */
import { Check, Copy } from "lucide-react";
import { strings } from "../strings";
import { IconButton } from "./button";
import { useCopy } from "./clipboard";

export function CopyButton({ label, text }: { label: string; text: () => string }) {
  const [copied, copy] = useCopy();
  return (
    <>
      <IconButton
        small
        label={copied ? strings.copied : label}
        icon={copied ? Check : Copy}
        onClick={() => copy(text())}
      />
      <span role="status" className="sr-only">
        {copied ? strings.copied : ""}
      </span>
    </>
  );
}
