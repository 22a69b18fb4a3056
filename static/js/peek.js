// The conversation that is likely to come next is fetched before it is asked for. Fetching is not
// reading: it is marked as read when it is opened.

import { flushDrafts } from "./drafts.js";
import { ask, post } from "./fragments.js";
import { allRows, currentRow, refreshRows } from "./rows.js";
import { log, openConversation } from "./thread.js";

const REST_MS = 400;
const LINGER_MS = 90;
const KEPT_MS = 60_000;
const MOST_KEPT = 3;

// By address: { id, html (a promise), at }.
const kept = new Map();
let lingering = null;
let resting = null;

const addressOf = (row) => row.getAttribute("href");

/** Only what an agent would wait for: one conversation at a time, and each once. */
function fetchAhead(row) {
  if (!row?.isConnected || row === currentRow() || row.dataset.hit || kept.has(addressOf(row))) return;
  if (navigator.connection?.saveData || !navigator.onLine) return;
  const url = new URL(addressOf(row), location.href);
  url.searchParams.set("peek", "1");
  const html = ask(url)
    .then((answer) => (answer.ok ? answer.text() : ""))
    .catch(() => "");
  kept.set(addressOf(row), { id: row.dataset.id, html, at: Date.now() });
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
}

/** What has changed is fetched anew when it is asked for. */
export function dropPeeked(id) {
  for (const [address, one] of kept) if (one.id === String(id)) kept.delete(address);
}

function take(address) {
  const one = kept.get(address);
  kept.delete(address);
  return one && Date.now() - one.at < KEPT_MS ? one : null;
}

async function show(row, peeked, main) {
  const html = await peeked.html;
  // It could not be fetched ahead: the row asks again, as if nobody had tried.
  if (!html) return window.htmx.trigger(row, "click");
  await flushDrafts();
  if (main !== document.getElementById("main")) return;
  window.htmx.swap(main, html, { swapStyle: "outerHTML" }, { contextElement: row, eventInfo: { elt: row, target: main } });
  history.pushState({ htmx: true }, "", addressOf(row));
  if (openConversation() !== peeked.id) return;
  await post(log().dataset.readUrl).catch(() => null);
  refreshRows([peeked.id], { isOwn: true });
}

/** The one below: who works through a list goes on there. */
function fetchNext() {
  clearTimeout(resting);
  resting = setTimeout(() => {
    const rows = allRows();
    fetchAhead(rows[rows.indexOf(currentRow()) + 1]);
  }, REST_MS);
}

function linger(event) {
  const row = event.target.closest?.("#rows .dx-row");
  if (!row) return;
  clearTimeout(lingering);
  lingering = setTimeout(() => fetchAhead(row), LINGER_MS);
}

export function startPeeking() {
  document.addEventListener("htmx:beforeRequest", (event) => {
    const row = event.detail.elt;
    if (!row.matches("#rows .dx-row")) return;
    clearTimeout(lingering);
    const peeked = take(addressOf(row));
    if (!peeked) return;
    event.preventDefault();
    show(row, peeked, event.detail.target);
  });
  document.addEventListener("pointerover", linger);
  document.addEventListener("focusin", linger);
  document.addEventListener("dexra:opened", fetchNext);
  if (openConversation()) fetchNext();
}
