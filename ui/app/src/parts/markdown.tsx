/** Markdown while it is still being written. Loaded apart from the shell; see markdown-lazy. */
import { ExternalLink } from "lucide-react";
import { type ComponentProps, isValidElement, memo, type ReactNode } from "react";
import { Streamdown, type StreamdownProps } from "streamdown";
import { strings } from "../strings";
import { CodeBlock } from "./code-block";
import { MarkdownTable } from "./markdown-table";

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
    return <img src={url.href} alt={alt} loading="lazy" className="max-h-96 max-w-full rounded-lg" />;
  }
  return url === null ? <span>{alt}</span> : <Link href={url.href}>{strings.message.image(alt)}</Link>;
}

function textIn(node: ReactNode): string {
  if (typeof node === "string") return node;
  if (Array.isArray(node)) return node.map(textIn).join("");
  return isValidElement<{ children?: ReactNode }>(node) ? textIn(node.props.children) : "";
}

function Fence({ children }: ComponentProps<"pre">) {
  const code = isValidElement<{ className?: string }>(children) ? (children.props.className ?? "") : "";
  const language = /language-([\w+#.-]+)/.exec(code)?.[1] ?? "";
  return <CodeBlock code={textIn(children).replace(/\n$/, "")} language={language} />;
}

/** Headings start at the third level: the page has the first, each message the second. */
const components = {
  a: Link,
  img: Picture,
  pre: Fence,
  code: "code",
  inlineCode: "code",
  table: MarkdownTable,
  thead: "thead",
  tbody: "tbody",
  tr: "tr",
  th: "th",
  td: "td",
  p: "p",
  ul: "ul",
  ol: "ol",
  li: "li",
  h1: "h3",
  h2: "h4",
  h3: "h5",
  h4: "h6",
  h5: "h6",
  h6: "h6",
  blockquote: "blockquote",
  hr: "hr",
  strong: "strong",
  em: "em",
  sub: "sub",
  sup: "sup",
  section: "section",
} as unknown as NonNullable<StreamdownProps["components"]>;

interface MarkdownProps {
  text: string;
  live: boolean;
  quiet?: boolean;
}

export const Markdown = memo(function Markdown({ text, live, quiet = false }: MarkdownProps) {
  return (
    <Streamdown
      className={quiet ? "md quiet" : "md"}
      mode={live ? "streaming" : "static"}
      parseIncompleteMarkdown={live}
      controls={false}
      linkSafety={{ enabled: false }}
      dir="auto"
      components={components}
    >
      {text}
    </Streamdown>
  );
});

export default Markdown;
