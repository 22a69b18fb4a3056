// What the field offers while somebody types: `/` canned replies, `@` colleagues.

import { ask, copy } from "./fragments.js";

const WAIT_MS = 120;
// A slash or an at sign that begins a word, and what follows it up to the caret.
const TOKEN = /(?:^|\s)([/@])([^\s/@]{0,40})$/u;

const form = () => document.getElementById("composer");
const field = () => document.getElementById("composer-text");
const box = () => document.getElementById("suggestions");
const options = () => [...(box()?.querySelectorAll("[role=option]") ?? [])];
const current = () => box()?.querySelector("[aria-selected=true]");

let timer = null;
let asked = 0;
let closedAt = "";

function tokenBefore() {
  const before = field()?.value.slice(0, field().selectionStart) ?? "";
  const found = TOKEN.exec(before);
  return found && { sign: found[1], words: found[2], start: before.length - found[2].length - 1 };
}

/** Look at the word before the caret; ask for what begins like it. */
function look() {
  const token = field() && tokenBefore();
  if (!token || `${token.sign}${token.start}` === closedAt) {
    if (!token) closedAt = "";
    close();
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(() => open(token), WAIT_MS);
}

async function open(token) {
  const url = new URL(token.sign === "/" ? form().dataset.cannedUrl : form().dataset.colleaguesUrl, location.href);
  url.searchParams.set("q", token.words);
  url.searchParams.set("mode", form().dataset.mode);
  asked += 1;
  const number = asked;
  const answer = await ask(url).catch(() => null);
  const now = field() && tokenBefore();
  if (!answer?.ok || number !== asked || !now || now.sign !== token.sign) return;
  box().innerHTML = await answer.text();
  box().hidden = false;
  field().setAttribute("aria-controls", "suggest-list");
  select(options()[0]);
}

export function close() {
  clearTimeout(timer);
  asked += 1;
  if (!box() || box().hidden) return;
  box().hidden = true;
  box().replaceChildren();
  field()?.removeAttribute("aria-activedescendant");
  field()?.removeAttribute("aria-controls");
}

function select(option) {
  current()?.setAttribute("aria-selected", "false");
  if (!option) return;
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  field().setAttribute("aria-activedescendant", option.id);
  const preview = box().querySelector(".dx-slash-preview");
  if (preview) preview.textContent = option.dataset.text ?? "";
}

function step(by) {
  const all = options();
  if (all.length) select(all[(all.indexOf(current()) + by + all.length) % all.length]);
}

function choose(option) {
  const token = tokenBefore();
  close();
  if (!option || !token) return;
  if ("makeNote" in option.dataset) {
    document.dispatchEvent(new CustomEvent("dexra:make-note"));
  } else if (option.dataset.username) {
    replace(token, `@${option.dataset.username} `);
  } else {
    replace(token, option.dataset.text);
    addSteps(JSON.parse(option.dataset.steps));
    remember(JSON.parse(option.dataset.blanks));
    if (!option.dataset.text) run(option.dataset.runUrl);
  }
}

function replace(token, text) {
  field().focus();
  field().setRangeText(text, token.start, field().selectionStart, "end");
  field().dispatchEvent(new Event("input", { bubbles: true }));
}

// --- macros ----------------------------------------------------------------------------------

/** What is done along with the reply, each to be taken out again. */
function addSteps(steps) {
  const shelf = document.getElementById("composer-steps");
  for (const { token, label } of steps) {
    if (!shelf || [...shelf.querySelectorAll("input")].some((one) => one.value === token)) continue;
    const chip = copy("tpl-step");
    chip.querySelector("input").value = token;
    chip.querySelector("span").textContent = label;
    const button = chip.querySelector("button");
    button.setAttribute("aria-label", button.dataset.word.replace("{what}", () => label));
    shelf.append(chip);
  }
}

/** A macro without words is done at once. */
function run(url) {
  document.getElementById("composer-steps")?.replaceChildren();
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  window.htmx.ajax("POST", url, { target: "#thread-head", swap: "outerHTML", values: { csrfmiddlewaretoken: token } });
}

// --- blanks ----------------------------------------------------------------------------------

/** Variables that nothing is known for stay marked until they are filled in or removed. */
function remember(names) {
  const known = new Set(JSON.parse(form().dataset.blanks ?? "[]"));
  for (const name of names) known.add(name);
  form().dataset.blanks = JSON.stringify([...known]);
  showBlanks();
}

function showBlanks() {
  const place = document.getElementById("composer-blanks");
  if (!place) return;
  const names = JSON.parse(form().dataset.blanks ?? "[]").filter((name) => field().value.includes(`{${name}}`));
  place.hidden = !names.length;
  place.querySelector("[data-names]").replaceChildren(
    ...names.map((name) => {
      const mark = Object.assign(document.createElement("button"), { type: "button", textContent: `{${name}}` });
      mark.dataset.blank = name;
      return mark;
    }),
  );
}

function goToBlank(name) {
  const start = field().value.indexOf(`{${name}}`);
  field().focus();
  field().setSelectionRange(start, start + name.length + 2);
}

// --- wiring ----------------------------------------------------------------------------------

const ACTS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Enter: () => choose(current()),
  Tab: () => choose(current()),
  Escape: () => {
    const token = tokenBefore();
    closedAt = token ? `${token.sign}${token.start}` : "";
    close();
  },
};

export function startSuggestions() {
  document.addEventListener("input", (event) => {
    if (event.target.id !== "composer-text") return;
    look();
    showBlanks();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "composer-text" || !box() || box().hidden || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey || !ACTS[event.key]) return;
    if (!current() && event.key !== "Escape") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ACTS[event.key]();
  });
  // The field keeps the focus while an option is chosen.
  document.addEventListener("pointerdown", (event) => event.target.closest("#suggestions") && event.preventDefault());
  document.addEventListener("click", (event) => {
    const option = event.target.closest("#suggestions [role=option]");
    if (option) choose(option);
    const mark = event.target.closest("#composer-blanks [data-blank]");
    if (mark) goToBlank(mark.dataset.blank);
    const chip = event.target.closest("#composer-steps button");
    if (chip) {
      chip.parentElement.remove();
      field()?.focus();
    }
    if (event.target.closest("[data-suggest]")) begin();
    else if (!event.target.closest("#suggestions, #composer-text")) close();
  });
}

/** The button in the bar types the slash. */
function begin() {
  field().focus();
  const before = field().value.slice(0, field().selectionStart);
  const gap = before && !/\s$/.test(before) ? " " : "";
  field().setRangeText(`${gap}/`, field().selectionStart, field().selectionEnd, "end");
  field().dispatchEvent(new Event("input", { bubbles: true }));
}
