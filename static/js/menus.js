// Menus: a link or submit button with data-menu opens in place what it leads to.

import { ask, parse } from "./fragments.js";
import { place } from "./popovers.js";
import { fold } from "./words.js";

const box = () => document.getElementById("menu");
const items = () => [...box().querySelectorAll(".dx-menu-item")].filter((item) => !item.hidden);
const search = () => box().querySelector("[data-menu-search]");

// What had the focus before the menu, to give it back.
let before = null;

async function open(opener) {
  if (!box().contains(document.activeElement)) before = document.activeElement;
  const response = await fetchMenu(opener).catch(() => null);
  if (!response?.ok) return;
  const menu = box();
  menu.replaceChildren(...parse(await response.text()).children);
  filter("");
  window.htmx.process(menu);
  if (!menu.matches(":popover-open")) menu.showPopover();
  place(menu, anchorOf(opener));
  (search() ?? items()[0] ?? menu.querySelector("select, input:not([type=hidden]), button"))?.focus();
}

function fetchMenu(opener) {
  if (opener.href) return ask(opener.href);
  return ask(opener.form.action, { method: "POST", body: new FormData(opener.form, opener) });
}

/** What has no place of its own (a command, a line of another menu) opens beside the head's menu. */
function anchorOf(opener) {
  const own = opener.getBoundingClientRect();
  if (own.width && !box().contains(opener)) return own;
  return document.getElementById("more").getBoundingClientRect();
}

function filter(words) {
  for (const item of box().querySelectorAll("[data-words]")) {
    item.hidden = !fold(item.dataset.words).includes(fold(words));
  }
  const free = box().querySelector(".dx-menu-free");
  if (free) free.hidden = !words;
}

function move(by) {
  const shown = items();
  const at = shown.indexOf(document.activeElement);
  const next = at + by;
  if (next < 0 && search()) search().focus();
  else shown[Math.max(0, Math.min(shown.length - 1, next))]?.focus();
}

function onKey(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && event.target === search()) {
    event.preventDefault();
    items()[0]?.click();
  }
}

/** Several may be chosen one after the other: the menu shows what is. */
function onDone(event) {
  const form = event.detail.elt;
  if (!box().contains(form) || !event.detail.successful) return;
  const chosen = event.detail.requestConfig.triggeringEvent?.submitter;
  if (!("stays" in form.dataset) || !chosen?.hasAttribute("aria-pressed")) {
    box().hidePopover();
    return;
  }
  chosen.setAttribute("aria-pressed", String(chosen.getAttribute("aria-pressed") !== "true"));
}

function giveFocusBack(event) {
  const held = document.activeElement;
  const isLost = !held || held === document.body || box().contains(held);
  if (event.newState !== "closed" || !isLost) return;
  // What opened the menu may have been drawn anew since.
  (before?.isConnected ? before : document.getElementById(before?.id))?.focus();
}

export function startMenus() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-menu]");
    if (!opener || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(opener);
  });
  box().addEventListener("input", (event) => event.target === search() && filter(event.target.value.trim()));
  box().addEventListener("keydown", onKey);
  box().addEventListener("toggle", giveFocusBack);
  document.addEventListener("htmx:afterRequest", onDone);
}
