// Single keys, only where nobody is typing, by letter or by place on other layouts. What a key does
// stands on the element that does it: data-key, with data-command as its name (commands.js).

import { composer, field, setMode } from "./compose.js";
import { commandOf } from "./commands.js";
import { allRows, currentRow } from "./rows.js";

const FIELDS = "input, textarea, select, [contenteditable]";
// How long the first key of two is remembered.
const SEQUENCE_MS = 1500;

const root = document.getElementById("inbox");
// The id of the row that was asked for and is not open yet: hands are faster than the line.
let opening = "";
let first = { key: "", until: 0 };

const isInList = (event) => Boolean(event.target.closest("#rows"));

const focusedRow = () => document.activeElement.closest(".dx-row");

/** The neighbouring row, focused and opened; the composer stays out of it until Enter. */
function step(by, from = document.getElementById(opening) ?? currentRow()) {
  const rows = allRows();
  if (!rows.length) return;
  if (!rows.includes(from)) from = null;
  // What was open has left the list: the row in its place is the next one.
  const at = from ? rows.indexOf(from) + by : Math.max(0, rows.indexOf(focusedRow()));
  const row = rows[Math.min(rows.length - 1, Math.max(0, at))];
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  opening = row.id;
  window.htmx.trigger(row, "click");
}

function backToList() {
  const back = document.querySelector(".dx-back");
  if (back?.offsetParent) back.click();
  else (currentRow() ?? allRows()[0])?.focus();
}

function keyOf(event) {
  const key = event.key.toLowerCase();
  if (key.length > 1 || /[a-z/?]/.test(key)) return key;
  return event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : key;
}

function escape(event) {
  if (event.target.matches(FIELDS) && composer()?.contains(event.target)) backToList();
  else if (event.target.id === "search") event.target.blur();
  else delete root.dataset.panel;
}

/** Whether the key meant something here. */
function act(event) {
  const key = keyOf(event);
  const second = event.timeStamp < first.until && commandOf(`${first.key} ${key}`);
  first = second ? { key: "", until: 0 } : { key, until: event.timeStamp + SEQUENCE_MS };
  if (second) {
    second.click();
    return true;
  }
  if (key === "/") document.getElementById("search")?.focus();
  else if (key === "arrowdown" && isInList(event)) step(1, focusedRow());
  else if (key === "arrowup" && isInList(event)) step(-1, focusedRow());
  else {
    const element = commandOf(key);
    element?.click();
    return Boolean(element);
  }
  return true;
}

export function startKeys() {
  if (/Mac|iPhone|iPad/.test(navigator.platform)) {
    for (const hint of document.querySelectorAll("[data-mod-enter]")) hint.textContent = "⌘ ↵";
    for (const hint of document.querySelectorAll("[data-mod-k]")) hint.textContent = "⌘ K";
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key === "Escape") escape(event);
    if (event.key === "ArrowDown" && event.target.id === "search" && allRows().length) {
      event.preventDefault();
      allRows()[0].focus();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(FIELDS)) return;
    // Switched off are the letters: arrows and Escape are nobody's slip of the tongue.
    if (event.key.length === 1 && root.dataset.shortcuts === "off") return;
    if (document.querySelector("dialog[open]")) return;
    if (act(event)) event.preventDefault();
  });
  document.addEventListener("dexra:opened", () => (opening = ""));
  // A row opened by Enter is opened to be answered.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".dx-row")) return;
    document.addEventListener("dexra:opened", () => field()?.focus(), { once: true });
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-commands]")) return;
    const { mode, step: by } = event.target.dataset;
    if (mode) setMode(mode);
    if (by) step(Number(by));
  });
}
