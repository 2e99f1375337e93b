/** Where the page begins. */
import "./kit/no-eval";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { watchOtherTabs } from "./chat/conversations";
import { disclosure } from "./disclosure";
import { watchHints } from "./kit/hint";
import { threadInAddress } from "./kit/router";
import { watchSystemTheme } from "./kit/theme";
import { adoptFragment } from "./kit/token";
import { loadMe } from "./me";
import { adoptDocumentContext } from "./page-context";
import { prefetchMarkdown } from "./parts/markdown-lazy";
import { threads } from "./shell/threads";
import { strings } from "./strings";
import "./styles.css";
import "./forced-colors.css";

document.documentElement.lang = strings.language;
document.documentElement.dir = strings.direction;
adoptFragment();
adoptDocumentContext();
watchSystemTheme();
watchHints();
watchOtherTabs();
void loadMe();
void disclosure.load();
void threads.refresh();

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
// An old conversation needs markdown at once, a new one only when the first answer comes.
if (threadInAddress() === null) requestAnimationFrame(() => setTimeout(prefetchMarkdown));
else prefetchMarkdown();
