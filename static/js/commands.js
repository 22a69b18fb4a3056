// The command bar: every action of the page by its name, and the key that would have done it.

import { fold } from "./words.js";

const dialog = () => document.getElementById("commands");
const field = () => document.getElementById("commands-words");
const list = () => document.getElementById("commands-list");

/** All that can be done now. In [data-commands] stand actions that have no button on the page. */
export function offered() {
  const byName = new Map();
  for (const element of document.querySelectorAll("[data-command]")) {
    const isThere = element.getClientRects().length || element.closest("[data-commands], .dx-views");
    const name = element.dataset.command;
    // The latest of a name: of two toasts, Undo takes back what was done last.
    if (!element.disabled && isThere) byName.set(name, element);
  }
  // Where to go stands below what to do.
  const isPlace = (element) => Number(Boolean(element.closest(".dx-views")));
  return [...byName.values()].sort((one, other) => isPlace(one) - isPlace(other));
}

export function commandOf(key) {
  return offered().find((element) => element.dataset.key === key);
}

function show() {
  const words = fold(field().value.trim());
  const fits = (element) => words.split(/\s+/).every((word) => fold(element.dataset.command).includes(word));
  const lines = offered().filter(fits).map(lineOf);
  if (words) lines.push(searchLine(field().value.trim()));
  list().replaceChildren(...lines);
  select(lines[0]);
}

function lineOf(element) {
  const line = newLine(element.dataset.command, () => element.click());
  if (!element.dataset.key) return line;
  const key = document.createElement("span");
  key.className = "dx-kbd";
  key.textContent = element.dataset.keyLabel ?? element.dataset.key.toUpperCase();
  line.append(key);
  return line;
}

function searchLine(words) {
  return newLine(list().dataset.wordSearch.replace("{words}", words), () => {
    const search = document.getElementById("search");
    search.value = words;
    search.form.requestSubmit();
  });
}

function newLine(text, act) {
  const line = document.createElement("div");
  line.className = "dx-menu-item";
  line.id = `command-${list().children.length}-${crypto.randomUUID()}`;
  line.setAttribute("role", "option");
  const words = document.createElement("span");
  words.className = "dx-grow";
  words.textContent = text;
  line.append(words);
  line.addEventListener("click", () => {
    dialog().close();
    act();
  });
  return line;
}

function select(line) {
  for (const other of list().children) other.setAttribute("aria-selected", String(other === line));
  field().setAttribute("aria-activedescendant", line?.id ?? "");
  line?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  const lines = [...list().children];
  const at = lines.findIndex((line) => line.getAttribute("aria-selected") === "true");
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by) {
    event.preventDefault();
    select(lines[(at + by + lines.length) % lines.length]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    lines[at]?.click();
  }
}

export function openCommands() {
  field().value = "";
  dialog().showModal();
  show();
  field().focus();
}

export function startCommands() {
  field().addEventListener("input", show);
  field().addEventListener("keydown", onKey);
  dialog().addEventListener("click", (event) => event.target === dialog() && dialog().close());
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (dialog().open) dialog().close();
    else openCommands();
  });
}
