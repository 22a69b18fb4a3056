// The inbox page: what the stream, the clock and htmx tell goes to whom it concerns.

import { startActs } from "./acts.js";
import { startBulk } from "./bulk.js";
import { hideBanner, replaceSlot, showBanner } from "./banner.js";
import { startClock } from "./clock.js";
import { startCommands } from "./commands.js";
import { refreshComposer, startComposer } from "./compose.js";
import { askCounts, drawCounts } from "./counts.js";
import { ask, copy, parse } from "./fragments.js";
import { startKeys } from "./keys.js";
import { listen } from "./live.js";
import { startMenus } from "./menus.js";
import { allRows, catchUpRows, currentRow, markCurrent, neighbourOf, noteChanged, noteClaim, refreshRows, shownList, showRows, startRows } from "./rows.js";
import { dropPeeked, startPeeking } from "./peek.js";
import { noteMissed, noteNotify, speaks, startNotify } from "./notify.js";
import { notePresence, startPresence } from "./presence.js";
import { followLog, noteRevision, openConversation, refreshThread, startThread } from "./thread.js";
import { startViewer } from "./viewer.js";

const TOAST_MS = 6000;
const root = document.getElementById("inbox");
const isNarrow = matchMedia("(max-width: 1120px)");

// --- live ------------------------------------------------------------------------------------

const { speak, turn } = listen(root.dataset.stream, root.dataset.since, shownList, {
  rows: showRows,
  conversation: ({ id }) => noteChanged(id),
  thread: ({ id, rev }) => {
    dropPeeked(id);
    noteRevision(id, rev);
  },
  counts: drawCounts,
  recount: askCounts,
  presence: (frame) => {
    notePresence(frame);
    noteClaim(frame);
  },
  notify: noteNotify,
  missed: noteMissed,
  speaks,
  closed: () => showBanner("signed-out"),
  channel: async () => {
    const response = await ask(root.dataset.bannerUrl).catch(() => null);
    if (response?.ok) replaceSlot(parse(await response.text()).firstElementChild);
    refreshComposer();
  },
  reset: catchUp,
  paused: () => showBanner("paused"),
  resumed: () => hideBanner("paused"),
  poll: catchUp,
});

function catchUp() {
  catchUpRows();
  refreshThread();
  askCounts();
}

addEventListener("offline", () => showBanner("offline"));
addEventListener("online", () => {
  hideBanner("offline");
  // What the stream told while nothing could be fetched is fetched now.
  catchUp();
});

// A customer who writes opens the window again.
document.addEventListener("dexra:inbound", () => refreshComposer());

startClock({ rowPassed: (id) => refreshRows([id]), windowPassed: () => refreshComposer() });

// --- htmx ------------------------------------------------------------------------------------

let nextRow = null;

document.addEventListener("htmx:afterSwap", (event) => {
  turn();
  if (event.detail.target.id === "main") {
    root.dataset.pane = openConversation() ? "thread" : "list";
    markCurrent();
    followLog();
    document.dispatchEvent(new Event("dexra:opened"));
  }
});
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.matches("#thread-head form, #menu form")) {
    nextRow = currentRow() && neighbourOf(currentRow());
  }
});
document.addEventListener("dexra:thread", () => {
  refreshThread();
  // After Done the next one is at hand; whoever has begun to write goes on writing.
  if (openConversation() && !currentRow() && !document.activeElement.matches("input, textarea")) nextRow?.focus();
  nextRow = null;
  if (openConversation()) refreshRows([openConversation()]);
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) showBanner("signed-out");
  else document.getElementById("toasts").append(copy("tpl-trouble"));
});
document.addEventListener("htmx:sendError", () => showBanner("offline"));

// --- panes, toasts ---------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  if (event.target.closest("#panel-toggle, #panel-close")) togglePanel();
  const back = event.target.closest(".dx-back");
  if (back && allRows().length) {
    event.preventDefault();
    root.dataset.pane = "list";
    history.replaceState(history.state, "", back.href);
    currentRow()?.focus();
  }
  if (event.target.closest("#view-menu a")) document.getElementById("view-menu").hidePopover();
});

function togglePanel() {
  const other = isNarrow.matches ? "open" : "closed";
  if (root.dataset.panel === other) delete root.dataset.panel;
  else root.dataset.panel = other;
}
isNarrow.addEventListener("change", () => delete root.dataset.panel);

new MutationObserver((changes) => {
  for (const toast of changes.flatMap((change) => [...change.addedNodes])) {
    if (toast.nodeType === Node.ELEMENT_NODE) dismissLater(toast);
  }
}).observe(document.getElementById("toasts"), { childList: true });
for (const toast of document.getElementById("toasts").children) dismissLater(toast);

function dismissLater(toast) {
  let timer = setTimeout(() => toast.remove(), TOAST_MS);
  const pause = () => clearTimeout(timer);
  const resume = () => (timer = setTimeout(() => toast.remove(), TOAST_MS));
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, pause);
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, resume);
}

startThread();
startActs();
startRows();
startBulk();
startComposer();
startMenus();
startCommands();
startKeys();
startPresence();
startPeeking();
startNotify(speak);
startViewer();
