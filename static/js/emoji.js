// The choice of emoji: asked for when somebody wants one, searched by name, walked with arrows.

import { ask } from "./fragments.js";

const panel = () => document.getElementById("emoji");
const shown = () => [...panel().querySelectorAll("button:not([hidden])")];

async function open(button) {
  if (!panel().firstElementChild) {
    const answer = await ask(button.dataset.emojiUrl).catch(() => null);
    if (!answer?.ok) return;
    panel().innerHTML = await answer.text();
  }
  panel().showPopover();
  place(button.getBoundingClientRect());
  const search = panel().querySelector("input");
  search.value = "";
  filter("");
  search.focus();
}

function place(near) {
  const { width, height } = panel().getBoundingClientRect();
  panel().style.insetBlockStart = `${Math.max(8, near.top - height - 8)}px`;
  panel().style.left = `${Math.max(8, Math.min(near.left, innerWidth - width - 8))}px`;
}

function filter(words) {
  const wanted = words.trim().toLowerCase();
  for (const group of panel().querySelectorAll("[role=group]")) {
    for (const button of group.querySelectorAll("button")) {
      button.hidden = !button.getAttribute("aria-label").includes(wanted);
    }
    group.hidden = !group.querySelector("button:not([hidden])");
  }
}

function insert(character) {
  const field = document.getElementById("composer-text");
  panel().hidePopover();
  field.focus();
  field.setRangeText(character, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Rows are as wide as the panel: up and down look for what stands above and below. */
function step(from, key) {
  const all = shown();
  const at = all.indexOf(from);
  const isRtl = getComputedStyle(panel()).direction === "rtl";
  const by = { ArrowRight: isRtl ? -1 : 1, ArrowLeft: isRtl ? 1 : -1 }[key];
  if (by) return all[at + by];
  const { left, top } = from.getBoundingClientRect();
  const rest = key === "ArrowDown" ? all.slice(at + 1) : all.slice(0, at).reverse();
  return rest.find((one) => {
    const here = one.getBoundingClientRect();
    return Math.abs(here.left - left) < 4 && here.top !== top;
  });
}

export function startEmoji() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-emoji-url]");
    if (opener) open(opener);
    const choice = event.target.closest("#emoji button");
    if (choice) insert(choice.textContent);
  });
  document.addEventListener("input", (event) => {
    if (event.target.closest("#emoji")) filter(event.target.value);
  });
  document.addEventListener("keydown", (event) => {
    if (!event.target.closest?.("#emoji")) return;
    if (event.key === "Enter" && event.target.matches("input")) {
      event.preventDefault();
      shown()[0]?.click();
    } else if (event.key.startsWith("Arrow")) {
      if (event.target.matches("input") && event.key !== "ArrowDown") return;
      event.preventDefault();
      const next = event.target.matches("input") ? shown()[0] : step(event.target, event.key);
      next?.focus();
    }
  });
}
