/** A tool call that waits for a person: what, on what, as whom, and whether it can be undone. */
import { ShieldQuestion } from "lucide-react";
import { useState } from "react";
import type { ToolView } from "../chat/answer";
import { Button } from "../kit/button";
import { dateTime } from "../kit/format";
import { prettyJson } from "../kit/json";
import { strings } from "../strings";
import { DataBlock } from "./code-block";

interface ApprovalCardProps {
  tool: ToolView;
  onDecide: (approvalId: string, approved: boolean) => void;
}

const word = (value: unknown) => (typeof value === "string" ? value : "");

export function ApprovalCard({ tool, onDecide }: ApprovalCardProps) {
  const [decided, setDecided] = useState(false);
  if (tool.approval === undefined) return null;
  const { id, descriptor } = tool.approval;
  const actsAs = word(descriptor["acts_as"]) || word(descriptor["actsAs"]);
  const undoable = descriptor["undoable"] === true;
  const expires = dateTime(word(descriptor["expires_at"]) || word(descriptor["expiresAt"]));
  const summary = word(descriptor["summary"]) || tool.title;
  const facts = [
    actsAs === "" ? "" : strings.approval.as(actsAs),
    undoable ? strings.approval.undoable : strings.approval.final,
    expires === "" ? "" : strings.approval.expires(expires),
  ].filter((fact) => fact !== "");
  const decide = (approved: boolean) => {
    setDecided(true);
    onDecide(id, approved);
  };
  return (
    <section
      aria-label={strings.approval.title}
      className="frame rounded-xl border border-line-strong bg-raised p-4 text-ui shadow-box"
    >
      <p className="flex items-center gap-2 font-medium text-ink-2">
        <ShieldQuestion aria-hidden="true" className="size-4 text-accent" />
        {strings.approval.title}
      </p>
      <p className="mt-1.5 text-[0.9375rem]">{summary}</p>
      <p className="mt-1 text-fine text-ink-3">{facts.join(" · ")}</p>
      <h3 className="mt-3 mb-1 font-medium text-fine text-ink-3">{strings.approval.arguments}</h3>
      <DataBlock text={prettyJson(tool.input)} />
      <div className="mt-3 flex flex-wrap gap-2">
        <Button disabled={decided} onClick={() => decide(false)}>
          {strings.approval.deny}
        </Button>
        <Button look="main" disabled={decided} onClick={() => decide(true)}>
          {strings.approval.allow}
        </Button>
      </div>
    </section>
  );
}
