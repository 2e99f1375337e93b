/** Markdown while it is still being written. Loaded apart from the shell; see markdown-lazy. */
import { ExternalLink } from "lucide-react";
import { type ComponentProps, isValidElement, memo, type ReactNode } from "react";
import { Streamdown, type StreamdownProps } from "streamdown";
import { strings } from "../strings";
import { CodeBlock } from "./code-block";
import { MarkdownTable } from "./markdown-table";
import { headingLevels, withoutHalfTable } from "./markdown-text";

/** Only addresses that a person can check before following them; everything else is words. */
export function safeHref(href: string | undefined): URL | null {
  if (href === undefined || !URL.canParse(href, location.href)) return null;
  const url = new URL(href, location.href);
  return ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
}

function Link({ href, children }: ComponentProps<"a">) {
  const url = safeHref(href);
  if (url === null) return <span>{children}</span>;
  if (url.origin === location.origin) return <a href={url.href}>{children}</a>;
  return (
    <a href={url.href} target="_blank" rel="noopener noreferrer nofollow" title={url.host}>
      {children}
      <ExternalLink
        role="img"
        aria-label={`(${strings.message.external})`}
        className="ms-0.5 inline size-[0.8em] align-baseline opacity-70"
        strokeWidth={2}
      />
    </a>
  );
}

/** A picture from elsewhere would tell its server who reads; it becomes a link instead. */
function Picture({ src, alt = "" }: ComponentProps<"img">) {
  const address = typeof src === "string" ? src : undefined;
  const url = safeHref(address);
  if (url?.origin === location.origin) {
    return (
      <img src={url.href} alt={alt} loading="lazy" className="max-h-96 max-w-full rounded-lg" />
    );
  }
  return url === null ? (
    <span>{alt}</span>
  ) : (
    <Link href={url.href}>{strings.message.image(alt)}</Link>
  );
}

function textIn(node: ReactNode): string {
  if (typeof node === "string") return node;
  if (Array.isArray(node)) return node.map(textIn).join("");
  return isValidElement<{ children?: ReactNode }>(node) ? textIn(node.props.children) : "";
}

function Fence({ children }: ComponentProps<"pre">) {
  const code = isValidElement<{ className?: string }>(children)
    ? (children.props.className ?? "")
    : "";
  const language = /language-([\w+#.-]+)/.exec(code)?.[1] ?? "";
  return <CodeBlock code={textIn(children).replace(/\n$/, "")} language={language} />;
}

const InlineCode = ({ children }: ComponentProps<"code">) => <code>{children}</code>;

/**
 * Headings begin at the third level, because the page has the first and each message the second;
 * levels that a text leaves out are closed up, so that the outline has no holes.
 */
function headings(levels: string) {
  const tags: Record<string, string> = {};
  for (let level = 1; level <= 6; level++) {
    const rank = [...levels].filter((used) => Number(used) < level).length;
    tags[`h${level}`] = `h${Math.min(3 + rank, 6)}`;
  }
  return tags;
}

type Components = NonNullable<StreamdownProps["components"]>;
const known = new Map<string, Components>();

function componentsFor(levels: string): Components {
  let components = known.get(levels);
  if (components === undefined) {
    const plain = "thead tbody tr th td p ul ol li blockquote hr strong em sub sup section".split(
      " ",
    );
    components = {
      ...Object.fromEntries(plain.map((name) => [name, name])),
      ...headings(levels),
      a: Link,
      img: Picture,
      pre: Fence,
      code: "code",
      inlineCode: InlineCode,
      table: MarkdownTable,
    } as unknown as Components;
    known.set(levels, components);
  }
  return components;
}

interface MarkdownProps {
  text: string;
  live: boolean;
  quiet?: boolean;
}

export const Markdown = memo(function Markdown({ text, live, quiet = false }: MarkdownProps) {
  const shown = live ? withoutHalfTable(text) : text;
  return (
    <Streamdown
      className={quiet ? "md quiet" : "md"}
      mode="streaming" // also when it is done: the other mode has another shape, and the page would jump
      parseIncompleteMarkdown={live}
      controls={false}
      linkSafety={{ enabled: false }}
      dir="auto"
      components={componentsFor(headingLevels(shown))}
    >
      {shown}
    </Streamdown>
  );
});

export default Markdown;
