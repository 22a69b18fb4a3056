// Single keys, only where nobody is typing, by letter or by place on other layouts.

import { composer, field, setMode } from "./compose.js";
import { allRows, currentRow } from "./rows.js";

const FIELDS = "input, textarea, select, [contenteditable]";

const ACTS = {
  j: () => step(1),
  k: () => step(-1),
  arrowdown: (event) => isInList(event) && step(1),
  arrowup: (event) => isInList(event) && step(-1),
  r: () => setMode("reply"),
  n: () => setMode("note"),
  e: () => document.getElementById("done")?.click(),
  i: () => document.getElementById("assign-me")?.click(),
  u: backToList,
  c: () => document.getElementById("panel-toggle")?.click(),
  "/": () => document.getElementById("search")?.focus(),
  "?": () => document.getElementById("keys").togglePopover(),
};

const isInList = (event) => Boolean(event.target.closest("#rows"));

/** The neighbouring row, focused and opened; the composer stays out of it until Enter. */
function step(by) {
  const rows = allRows();
  if (!rows.length) return false;
  const from = rows.indexOf(document.activeElement.closest(".dx-row") ?? currentRow());
  const row = rows[Math.min(rows.length - 1, Math.max(0, from + by))];
  row.focus();
  row.scrollIntoView({ block: "nearest" });
  window.htmx.trigger(row, "click");
  return true;
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
  else delete document.getElementById("inbox").dataset.panel;
}

export function startKeys() {
  if (/Mac|iPhone|iPad/.test(navigator.platform)) {
    for (const hint of document.querySelectorAll("[data-mod-enter]")) hint.textContent = "⌘ ↵";
  }
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key === "Escape") escape(event);
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(FIELDS)) return;
    const act = ACTS[keyOf(event)];
    if (act && act(event) !== false) event.preventDefault();
  });
  // A row opened by Enter is opened to be answered.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".dx-row")) return;
    document.addEventListener("dexra:opened", () => field()?.focus(), { once: true });
  });
}
