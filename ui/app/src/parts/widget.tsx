/** What a tool shows to people: a table, a picture, cards, or its data as it is. */
import { ExternalLink } from "lucide-react";
import { prettyJson } from "../kit/json";
import { readTable } from "../kit/table";
import { strings } from "../strings";
import { CodeBlock } from "./code-block";
import { TableWidget } from "./table-widget";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const word = (value: unknown) => (typeof value === "string" ? value : "");

/** Pictures come from this server or inside the data; a foreign address would be a tracking pixel. */
function imageSource(widget: Record<string, unknown>): string | null {
  const data = word(widget["data"]);
  const type = word(widget["mime"]) || word(widget["mediaType"]) || "image/png";
  if (data !== "" && /^image\/(png|jpeg|gif|webp)$/.test(type))
    return `data:${type};base64,${data}`;
  const url = word(widget["url"]);
  if (/^data:image\/(png|jpeg|gif|webp);base64,/.test(url)) return url;
  return url.startsWith("/") && !url.startsWith("//") ? url : null;
}

function Cards({ cards }: { cards: unknown[] }) {
  return (
    <ul className="grid gap-2 sm:grid-cols-2">
      {cards.filter(isRecord).map((card) => {
        const href = word(card["href"]) || word(card["url"]);
        const external = /^https?:\/\//.test(href) && URL.canParse(href);
        const safe = external || (href.startsWith("/") && !href.startsWith("//"));
        const inside = (
          <>
            <span className="block font-medium text-ui">
              {word(card["title"]) || href}
              {external && (
                <ExternalLink
                  role="img"
                  aria-label={`(${strings.message.external})`}
                  className="ms-1 inline size-3 opacity-70"
                />
              )}
            </span>
            <span className="mt-0.5 block text-fine text-ink-3">
              {word(card["sub"]) || (external ? new URL(href).host : "")}
            </span>
          </>
        );
        const look = "frame block rounded-xl border bg-raised px-3.5 py-2.5";
        return (
          <li key={`${href} ${word(card["title"])}`}>
            {safe ? (
              <a
                href={href}
                target="_blank"
                rel="noopener noreferrer"
                className={`${look} border-line-strong transition-colors hover:border-ink-3 hover:bg-surface-2`}
              >
                {inside}
              </a>
            ) : (
              <span className={`${look} border-line`}>{inside}</span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

const kindOf = (widget: unknown) => (isRecord(widget) ? word(widget["kind"]) : "");

/** The name under which all of a result is kept, when the widget is only its beginning. */
export const keptOf = (widget: unknown) => (isRecord(widget) ? word(widget["kept"]) : "");

/** Tables, pictures and links are for people; plain data stays in the details of its tool. */
export function hasWidget(widget: unknown): boolean {
  if (!isRecord(widget)) return false;
  if (kindOf(widget) === "group") {
    return Array.isArray(widget["items"]) && widget["items"].some(hasWidget);
  }
  return readTable(widget) !== null || ["image", "links", "cards"].includes(kindOf(widget));
}

export function Widget({ widget }: { widget: unknown }) {
  const table = readTable(widget);
  if (table !== null) return <TableWidget table={table} />;
  if (!isRecord(widget)) return <CodeBlock language="json" code={prettyJson(widget)} />;
  const kind = kindOf(widget);
  if (kind === "group" && Array.isArray(widget["items"])) {
    const items = widget["items"].filter(hasWidget);
    // biome-ignore lint/suspicious/noArrayIndexKey: the items of a result have no names
    return items.map((item, at) => <Widget key={at} widget={item} />);
  }
  if (kind === "links" && Array.isArray(widget["links"])) return <Cards cards={widget["links"]} />;
  if (kind === "image") {
    const source = imageSource(widget);
    const alt = word(widget["alt"]) || word(widget["title"]);
    if (source === null) return null;
    return (
      <figure>
        <img
          src={source}
          alt={alt}
          className="frame max-h-[28rem] max-w-full rounded-xl border border-line"
        />
        {alt !== "" && <figcaption className="mt-1.5 text-fine text-ink-3">{alt}</figcaption>}
      </figure>
    );
  }
  if (kind === "cards" && Array.isArray(widget["cards"])) return <Cards cards={widget["cards"]} />;
  const data = "data" in widget ? widget["data"] : widget;
  return <CodeBlock language="json" code={prettyJson(data)} />;
}
