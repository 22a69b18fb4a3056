// The list: rows replaced by id, moved by time, and never from under the pointer.

import { ask, parse } from "./fragments.js";
import { openConversation } from "./thread.js";

const GATHER_MS = 250;
const COUNTS_GAP_MS = 2000;
const MOST_ASKED = 50;

const root = document.getElementById("inbox");
const changed = new Set();
// Rows that wait for the pointer to leave: id -> element.
const held = new Map();
let gathering = null;
let counting = null;
let isPointed = false;

const list = () => document.getElementById("list-body");
const rows = () => document.getElementById("rows");
const rowOf = (id) => document.getElementById(`row-${id}`);
export const allRows = () => [...(rows()?.querySelectorAll(".dx-row") ?? [])];
export const currentRow = () => rows()?.querySelector(".dx-row[aria-current]") ?? null;

export function noteChanged(id) {
  changed.add(String(id));
  gathering ??= setTimeout(() => {
    gathering = null;
    const ids = [...changed];
    changed.clear();
    if (ids.length > MOST_ASKED) catchUpRows();
    else refreshRows(ids);
  }, GATHER_MS);
}

/** After a break: the first page as it is now, and what is shown further down. */
export async function catchUpRows() {
  const element = list();
  const response = await ask(element.dataset.url).catch(() => null);
  if (!response?.ok || element !== list()) return;
  const newest = [...parse(await response.text()).querySelectorAll("#rows .dx-row")];
  const known = new Set(newest.map((row) => row.dataset.id));
  newest.forEach(takeRow);
  drawPill();
  const others = allRows().map((row) => row.dataset.id).filter((id) => !known.has(id));
  await refreshRows(others.slice(0, MOST_ASKED));
}

export async function refreshRows(ids) {
  if (!ids.length) return;
  const element = list();
  const url = new URL(element.dataset.rowsUrl, location.href);
  url.searchParams.set("ids", ids.join(","));
  const response = await ask(url).catch(() => null);
  if (!response?.ok || element !== list()) return;
  const found = new Map(
    [...parse(await response.text()).querySelectorAll(".dx-row")].map((row) => [row.dataset.id, row]),
  );
  for (const id of ids) {
    const row = found.get(id);
    if (row) takeRow(row);
    else dropRow(id);
  }
  if (!allRows().length && !held.size) reloadList();
  drawPill();
}

function takeRow(row) {
  if (row.dataset.id === openConversation()) row.setAttribute("aria-current", "true");
  const old = rowOf(row.dataset.id);
  if (old) {
    const hadFocus = old === document.activeElement;
    old.replaceWith(row);
    window.htmx.process(row);
    if (hadFocus) row.focus();
    if (!isInPlace(row)) moveOrHold(row);
  } else if (!isBeyondEnd(row)) {
    moveOrHold(row);
  }
}

function dropRow(id) {
  held.delete(id);
  const row = rowOf(id);
  if (!row) return;
  const next = row.nextElementSibling ?? row.previousElementSibling;
  const hadFocus = row === document.activeElement;
  row.remove();
  if (hadFocus) next?.focus();
}

const rank = (row) => Number(row.dataset.sort);

function isInPlace(row) {
  const above = row.previousElementSibling;
  const below = row.nextElementSibling;
  return (
    (!above?.dataset.sort || rank(above) >= rank(row)) &&
    (!below?.dataset.sort || rank(below) <= rank(row))
  );
}

/** Further down than what was loaded: scrolling will bring it. */
function isBeyondEnd(row) {
  const last = allRows().at(-1);
  return Boolean(last && rows().querySelector(".dx-more") && rank(last) > rank(row));
}

function moveOrHold(row) {
  const isBusy = isPointed || rows().contains(document.activeElement) || rows().scrollTop > 40;
  if (isBusy) held.set(row.dataset.id, row);
  else place(row);
}

function place(row) {
  const box = rows();
  box.querySelector(".dx-empty")?.remove();
  const hadFocus = row === document.activeElement;
  const below = allRows().find((one) => one !== row && rank(one) < rank(row));
  box.insertBefore(row, below ?? box.querySelector(".dx-more"));
  window.htmx.process(row);
  if (hadFocus) row.focus();
}

function releaseHeld() {
  for (const row of held.values()) place(row);
  held.clear();
  drawPill();
}

function drawPill() {
  const pill = document.getElementById("new-pill");
  if (!pill) return;
  pill.hidden = held.size === 0;
  pill.textContent = root.dataset.wordNew.replace("{n}", held.size);
}

function reloadList() {
  held.clear();
  window.htmx.ajax("GET", list().dataset.url, { target: "#list", swap: "outerHTML" });
}

/** Counts are kept two seconds by the server: asking after that time shows what has changed. */
export function noteCounts() {
  counting ??= setTimeout(() => {
    counting = null;
    const url = new URL(root.dataset.countsUrl, location.href);
    url.searchParams.set("view", list().dataset.view);
    window.htmx.ajax("GET", url.pathname + url.search, { target: "#say", swap: "none" });
  }, COUNTS_GAP_MS);
}

/** Which row is open, after another thread was put in place. */
export function markCurrent() {
  for (const row of allRows()) row.removeAttribute("aria-current");
  rowOf(openConversation())?.setAttribute("aria-current", "true");
}

export function startRows() {
  document.addEventListener("pointerover", (event) => {
    isPointed = event.pointerType === "mouse" && Boolean(event.target.closest("#rows"));
    if (!isPointed && held.size && !rows()?.contains(document.activeElement) && rows()?.scrollTop <= 40) releaseHeld();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#new-pill")) return;
    releaseHeld();
    rows().scrollTop = 0;
  });
}
