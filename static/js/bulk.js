// Selecting conversations in the list, by pointer, by X and Shift+X, and what follows an act on them.

import { allRows, currentRow, itemOf } from "./rows.js";

const FIELDS = "input:not([type=checkbox]), textarea, select, [contenteditable]";

const form = () => document.getElementById("bulk");
const picks = () => [...document.querySelectorAll("#rows .dx-pick")];
const picked = () => picks().filter((pick) => pick.checked);
const pickOf = (row) => row && itemOf(row).querySelector(".dx-pick");
// Where a range begins.
let anchor = null;

function set(pick, isChecked) {
  const room = Number(form().dataset.limit) - picked().length;
  if (isChecked && !pick.checked && room <= 0) return;
  pick.checked = isChecked;
}

/** From the one that was picked last to this one, all as this one becomes. */
function pickRange(to, isChecked) {
  const all = picks();
  const ends = [all.indexOf(anchor), all.indexOf(to)].sort((a, b) => a - b);
  if (ends[0] < 0) return set(to, isChecked);
  for (const pick of all.slice(ends[0], ends[1] + 1)) set(pick, isChecked);
}

function draw() {
  if (!form()) return;
  const count = picked().length;
  const all = document.getElementById("pick-all");
  all.checked = count > 0 && count === picks().length;
  all.indeterminate = count > 0 && !all.checked;
  const words = document.getElementById("bulk-count");
  words.textContent = form().dataset.wordSelected.replace("{n}", count);
  document.getElementById("list").toggleAttribute("data-picked", count > 0);
}

function clear() {
  for (const pick of picks()) pick.checked = false;
  anchor = null;
  draw();
}

function byKey(event) {
  const row = document.activeElement.closest("#rows .dx-item")?.querySelector(".dx-row") ?? currentRow();
  const pick = pickOf(row);
  if (!pick) return;
  event.preventDefault();
  if (event.shiftKey && anchor) pickRange(pick, true);
  else set(pick, !pick.checked);
  anchor = pick;
  draw();
}

const isX = (event) =>
  event.key.toLowerCase() === "x" || (event.code === "KeyX" && !/^[a-z]$/i.test(event.key));

export function startBulk() {
  document.addEventListener("click", (event) => {
    if (event.target.matches("#rows .dx-pick")) {
      if (event.shiftKey && anchor) pickRange(event.target, event.target.checked);
      anchor = event.target;
      draw();
    } else if (event.target.id === "pick-all") {
      const isChecked = event.target.checked;
      for (const pick of picks()) set(pick, isChecked);
      draw();
    } else if (event.target.closest("#pick-switch")) {
      const isPicking = document.getElementById("list").toggleAttribute("data-picking");
      event.target.closest("#pick-switch").setAttribute("aria-pressed", String(isPicking));
      if (!isPicking) clear();
    } else if (event.target.closest("#pick-none")) {
      event.preventDefault();
      pickOf(currentRow())?.focus();
      clear();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.getElementById("inbox").dataset.shortcuts === "off") return;
    if (event.target.matches(FIELDS) || !form()) return;
    if (isX(event)) byKey(event);
    else if (event.key === "Escape" && !document.querySelector(":popover-open")) clear();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.elt.matches("#bulk, [data-bulk]") || !event.detail.successful) return;
    const next = allRows().find((row) => !pickOf(row)?.checked) ?? allRows()[0];
    clear();
    next?.focus();
  });
  // What stands in a menu that is swapped away takes the focus with it.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "main") return;
    draw();
    if (document.activeElement === document.body && event.detail.elt.id === "list") {
      document.getElementById("filter-button")?.focus();
    }
  });
}
