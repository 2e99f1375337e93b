/** When the page cannot begin: signed out, or nobody answers. */
import { DoorClosed } from "lucide-react";
import { Button } from "../kit/button";
import type { Failure } from "../kit/problems";
import { loadMe } from "../me";
import { strings } from "../strings";

interface FullPageProps {
  title: string;
  text: string;
  action: { label: string; run: () => void };
  failure?: Failure;
}

function FullPage({ title, text, action, failure }: FullPageProps) {
  return (
    <main className="grid h-dvh place-items-center px-6 pb-16">
      <div className="max-w-sm text-center">
        <DoorClosed aria-hidden="true" className="mx-auto size-9 text-accent" strokeWidth={1.5} />
        <h1 className="mt-4 font-semibold text-xl tracking-tight">{title}</h1>
        <p className="mt-1.5 mb-5 text-balance text-ink-2 text-ui">{text}</p>
        <Button look="main" onClick={action.run}>
          {action.label}
        </Button>
        {failure?.reference && (
          <p className="mt-4 text-fine text-ink-3">
            {strings.errors.reference} <code className="font-mono">{failure.reference}</code>
          </p>
        )}
      </div>
    </main>
  );
}

export function SignedOut() {
  const action = { label: strings.errors.reload, run: () => location.reload() };
  return (
    <FullPage title={strings.errors.signInTitle} text={strings.errors.signIn} action={action} />
  );
}

export function Unreachable({ failure }: { failure: Failure }) {
  const action = { label: strings.retry, run: () => void loadMe() };
  return (
    <FullPage
      title={strings.errors.startTitle}
      text={failure.message || strings.errors.start}
      action={action}
      failure={failure}
    />
  );
}
