// The list: rows replaced by id, moved by time, and never from under the pointer.

import { ask, parse } from "./fragments.js";
import { openConversation } from "./thread.js";

const GATHER_MS = 250;
const AGAIN_MS = 3000;
const MOST_ASKED = 50;
const CHECK_CLAIMS_MS = 30_000;

const root = document.getElementById("inbox");
// Conversations whose rows are to be asked for.
const changed = new Set();
// Items that wait for the pointer to leave: to be put in their place (element), or taken away (null).
const held = new Map();
let gathering = null;
let emptying = null;
let isPointed = false;

const list = () => document.getElementById("list-body");
const rows = () => document.getElementById("rows");
const isSearch = () => "search" in list().dataset;
const rowOf = (id) => document.getElementById(`row-${id}`);
export const itemOf = (row) => row.closest(".dx-item");
export const allRows = () => [...(rows()?.querySelectorAll(".dx-row") ?? [])];
export const currentRow = () => rows()?.querySelector(".dx-row[aria-current]") ?? null;

/** The row that an agent goes on with when this one is gone. */
export function neighbourOf(row) {
  const all = allRows();
  const at = all.indexOf(row);
  return at < 0 ? null : (all[at + 1] ?? all[at - 1] ?? null);
}

/** The list whose rows the stream sends; "" for a search, whose rows are asked for. */
export const shownList = () => (isSearch() ? "" : list().dataset.url);

/** ids: what has changed. html: the rows of those that the list holds. */
export function showRows({ ids, html }) {
  takeRows(ids.map((id) => `item-row-${id}`), parse(html));
}

/** A row that the stream does not send. */
export function noteChanged(id) {
  changed.add(id);
  gathering ??= setTimeout(async () => {
    gathering = null;
    const ids = [...changed];
    changed.clear();
    await (ids.length > MOST_ASKED ? catchUpRows() : refreshRows(ids));
  }, GATHER_MS);
}

/** Somebody began to answer what nobody was given, or left it: what a search has found says so too. */
export function noteClaim({ id, what }) {
  if (isSearch() && ["claimed", "released"].includes(what) && rowOf(id)) noteChanged(id);
}

/** Who just stops writing says nothing: what a row says of them is looked at again. */
function checkClaims() {
  for (const row of rows()?.querySelectorAll(".dx-row[data-on-it]") ?? []) noteChanged(Number(row.dataset.id));
}

/** After a break: the first page as it is now, and what is shown further down. */
export async function catchUpRows() {
  const element = list();
  const known = new Set();
  // What a search has found stays; only what is shown is looked at again.
  if (!isSearch()) {
    const response = await ask(element.dataset.url).catch(() => null);
    if (!response?.ok || element !== list()) return;
    for (const item of parse(await response.text()).querySelectorAll("#rows .dx-item")) {
      known.add(item.dataset.id);
      takeItem(item);
    }
    drawPill();
  }
  const others = allRows().map((row) => row.dataset.id).filter((id) => !known.has(id));
  await refreshRows([...new Set(others)].slice(0, MOST_ASKED));
}

/** isOwn: changed by this agent's own act, so that nothing has to wait for the pointer. */
export async function refreshRows(ids, { isOwn = false } = {}) {
  for (let at = 0; at < ids.length; at += MOST_ASKED) {
    await refreshSome(ids.slice(at, at + MOST_ASKED).map(String), isOwn);
  }
}

async function refreshSome(ids, isOwn) {
  const element = list();
  const url = new URL(element.dataset.rowsUrl, location.href);
  url.searchParams.set("ids", ids.join(","));
  const hits = allRows().filter((row) => row.dataset.hit && ids.includes(row.dataset.id));
  if (hits.length) url.searchParams.set("hits", hits.map((row) => row.dataset.hit).join(","));
  const response = await ask(url).catch(() => null);
  // The line was down: what the stream told meanwhile it says only once.
  if (!response) setTimeout(() => ids.forEach(noteChanged), AGAIN_MS);
  if (!response?.ok || element !== list()) return;
  const names = [...ids.map((id) => `item-row-${id}`), ...hits.map((row) => itemOf(row).id)];
  takeRows(names, parse(await response.text()), isOwn);
}

/** names: of all the items that were looked at; those that did not come are not in the list any more. */
function takeRows(names, answer, isOwn = false) {
  const found = new Map([...answer.querySelectorAll(".dx-item")].map((item) => [item.id, item]));
  for (const name of names) {
    const item = found.get(name);
    if (item) takeItem(item, isOwn);
    else dropItem(name, isOwn);
  }
  drawPill();
  reloadWhenEmpty();
}

function takeItem(item, isOwn = false) {
  const row = item.querySelector(".dx-row");
  if (row.dataset.id === openConversation() && !row.dataset.hit) row.setAttribute("aria-current", "true");
  held.delete(item.id);
  const old = document.getElementById(item.id);
  if (!old) {
    // A search shows what it found when it was asked.
    if (!isSearch() && !isBeyondEnd(row)) moveOrHold(item, isOwn);
    return;
  }
  // The row alone: whether it is selected stays.
  const oldRow = old.querySelector(".dx-row");
  const hadFocus = oldRow === document.activeElement;
  oldRow.replaceWith(row);
  old.classList.remove("dx-item-gone");
  window.htmx.process(row);
  if (hadFocus) row.focus();
  if (!isInPlace(old)) moveOrHold(old, isOwn);
}

function dropItem(name, isOwn = false) {
  held.delete(name);
  const item = document.getElementById(name);
  if (!item) return;
  // Taken away at once, the rows below would slip under the pointer.
  if (isPointed && !isOwn) {
    item.classList.add("dx-item-gone");
    held.set(name, null);
  } else {
    remove(item);
  }
}

function remove(item) {
  const row = item.querySelector(".dx-row");
  const next = row && neighbourOf(row);
  const hadFocus = item.contains(document.activeElement);
  item.remove();
  if (hadFocus) next?.focus();
}

const rank = (item) => Number(item.querySelector(".dx-row").dataset.sort);

function isInPlace(item) {
  const above = item.previousElementSibling;
  const below = item.nextElementSibling;
  return (
    (!above?.matches(".dx-item") || rank(above) >= rank(item)) &&
    (!below?.matches(".dx-item") || rank(below) <= rank(item))
  );
}

/** Further down than what was loaded: scrolling will bring it. */
function isBeyondEnd(row) {
  const last = allRows().at(-1);
  return Boolean(
    last && rows().querySelector(".dx-more") && Number(last.dataset.sort) > Number(row.dataset.sort),
  );
}

const isBusy = () => isPointed || rows().contains(document.activeElement) || rows().scrollTop > 40;

function moveOrHold(item, isOwn) {
  if (isBusy() && !isOwn) held.set(item.id, item);
  else place(item);
}

function place(item) {
  const box = rows();
  box.querySelector(".dx-empty")?.remove();
  const active = item.contains(document.activeElement) ? document.activeElement : null;
  const below = [...box.querySelectorAll(".dx-item")].find((one) => one !== item && rank(one) < rank(item));
  box.insertBefore(item, below ?? box.querySelector(".dx-more"));
  window.htmx.process(item);
  active?.focus();
}

function releaseHeld() {
  for (const [name, item] of held) {
    if (item) place(item);
    else if (document.getElementById(name)) remove(document.getElementById(name));
  }
  held.clear();
  drawPill();
  reloadWhenEmpty();
}

function drawPill() {
  const pill = document.getElementById("new-pill");
  if (!pill) return;
  const count = [...held.values()].filter(Boolean).length;
  pill.hidden = count === 0;
  pill.textContent = root.dataset.wordNew.replace("{n}", count);
}

/** The last row may go before the answer to the act that took it: that answer still has its place here. */
function reloadWhenEmpty() {
  clearTimeout(emptying);
  if (allRows().length || held.size || isSearch()) return;
  emptying = setTimeout(() => {
    if (document.querySelector(".htmx-request")) reloadWhenEmpty();
    else if (!allRows().length && !held.size) reloadList();
  }, GATHER_MS);
}

function reloadList() {
  held.clear();
  window.htmx.ajax("GET", list().dataset.url, { target: "#list", swap: "outerHTML" });
}

/** Which row is open, after another thread was put in place. */
export function markCurrent() {
  for (const row of allRows()) row.removeAttribute("aria-current");
  rowOf(openConversation())?.setAttribute("aria-current", "true");
}

function releaseWhenLeft() {
  if (held.size && rows() && !isBusy()) releaseHeld();
}

export function startRows() {
  document.addEventListener("pointerover", (event) => {
    isPointed = event.pointerType === "mouse" && Boolean(event.target.closest("#rows"));
    releaseWhenLeft();
  });
  document.documentElement.addEventListener("pointerleave", () => {
    isPointed = false;
    releaseWhenLeft();
  });
  // After the event: only then is it known where the focus has gone.
  document.addEventListener("focusout", () => setTimeout(releaseWhenLeft));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#new-pill")) return;
    releaseHeld();
    rows().scrollTop = 0;
    allRows()[0]?.focus();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.matches("#list, #list-body")) held.clear();
  });
  setInterval(() => document.hidden || checkClaims(), CHECK_CLAIMS_MS);
  // After an act on many: those that it changed, wherever they belong now.
  document.addEventListener("dexra:rows", (event) => refreshRows(event.detail.ids, { isOwn: true }));
}
