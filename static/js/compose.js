// Writing: sent at once in the agent's eyes, once in truth; the text is never lost.

import { hideBanner, showBanner } from "./banner.js";
import { ask, copy, parse } from "./fragments.js";
import { log, mergeThread, pendingCopy, scrollToEnd, withFirstShown } from "./thread.js";

const SHOW_COUNTER_FROM = 0.7;
const encoder = new TextEncoder();
// Replies leave in the order in which they were written, one after the other.
let line = Promise.resolve();

export const composer = () => document.getElementById("composer");
export const field = () => document.getElementById("composer-text");

// --- sending ---------------------------------------------------------------------------------

function submit(form) {
  const text = form.elements.content.value;
  if (!text.trim()) return;
  const sending = {
    url: form.action,
    body: new FormData(form),
    key: form.elements.key.value,
    text,
    isReply: form.dataset.mode === "reply",
    thread: log(),
  };
  if (sending.isReply) showPending(sending);
  form.elements.key.value = crypto.randomUUID();
  form.elements.content.value = "";
  form.querySelector(".dx-comp-error")?.replaceChildren();
  count();
  line = line.then(() => send(sending));
}

function showPending(sending) {
  const bubble = copy("tpl-pending");
  bubble.dataset.pending = sending.key;
  bubble.querySelector(".dx-bubble p").textContent = sending.text;
  bubble.querySelector('[data-act="retry"]').addEventListener("click", () => {
    setFailed(bubble, false);
    line = line.then(() => send(sending));
  });
  bubble.querySelector('[data-act="discard"]').addEventListener("click", () => bubble.remove());
  sending.thread.querySelector(".dx-stretch").append(bubble);
  scrollToEnd();
}

function setFailed(bubble, isFailed) {
  bubble.classList.toggle("dx-sending", !isFailed);
  bubble.querySelector(".dx-bubble").classList.toggle("dx-bubble-fail", isFailed);
  bubble.querySelector(".dx-meta").hidden = isFailed;
  bubble.querySelector(".dx-fail").hidden = !isFailed;
}

/** The same key twice is the same message: trying again after a lost answer sends nothing twice. */
async function send(sending) {
  const url = sending.thread === log() ? withFirstShown(sending.url) : sending.url;
  const response = await ask(url, { method: "POST", body: sending.body }).catch(() => null);
  const isHere = sending.thread === log();
  if (response?.ok) {
    hideBanner("offline");
    if (isHere) mergeThread(await response.text());
    pendingCopy(sending.key)?.remove();
  } else if (response?.status === 422 && isHere) {
    pendingCopy(sending.key)?.remove();
    replaceComposer(await response.text());
  } else {
    if (!response) showBanner("offline");
    const bubble = isHere && pendingCopy(sending.key);
    if (bubble) setFailed(bubble, true);
    else giveBack(sending.text);
  }
}

/** What could not be sent stands in the field again, before what was written since. */
function giveBack(text) {
  const here = field();
  if (!here) return;
  here.value = here.value ? `${text}\n${here.value}` : text;
  count();
}

/** A new composer in place of the old one; what was written meanwhile is carried over. */
function replaceComposer(html) {
  const old = composer();
  const written = field()?.value ?? "";
  const hadFocus = old.contains(document.activeElement);
  const fresh = parse(html).querySelector("#composer");
  old.replaceWith(fresh);
  window.htmx.process(fresh);
  if (written && field()) field().value = field().value ? `${field().value}\n${written}` : written;
  if (hadFocus) field()?.focus();
  count();
}

// --- modes -----------------------------------------------------------------------------------

export async function setMode(mode) {
  const form = composer();
  if (!form) return;
  if (form.dataset.mode !== mode) await refreshComposer(mode);
  field()?.focus();
}

/** The composer as the server sees it now: in another mode, or with its window closed. */
export async function refreshComposer(mode = composer()?.dataset.mode) {
  const form = composer();
  if (!form) return;
  const url = new URL(form.dataset.url, location.href);
  url.searchParams.set("mode", mode);
  const response = await ask(url).catch(() => null);
  if (!response?.ok || form !== composer()) return;
  const html = await response.text();
  const fresh = parse(html).querySelector("#composer");
  // Whoever is typing keeps the field, the place in it, and half-composed letters.
  if (fresh.dataset.state !== form.dataset.state) replaceComposer(html);
  else form.querySelector(".dx-window")?.replaceWith(fresh.querySelector(".dx-window") ?? "");
}

// --- counting --------------------------------------------------------------------------------

function count() {
  const form = composer();
  const counter = document.getElementById("counter");
  if (!form?.dataset.limit || !counter || !field()) return;
  const limit = Number(form.dataset.limit);
  const text = field().value;
  const isBytes = form.dataset.unit === "bytes";
  const used = isBytes ? encoder.encode(text).length : [...text].length;
  const isShown = used >= limit * SHOW_COUNTER_FROM;
  counter.textContent = isShown ? `${used} / ${limit}${isBytes ? ` ${counter.dataset.bytes}` : ""}` : "";
  counter.classList.toggle("dx-counter-bad", used > limit);
}

export function startComposer() {
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "composer") return;
    event.preventDefault();
    submit(event.target);
  });
  document.addEventListener("input", (event) => event.target.id === "composer-text" && count());
  document.addEventListener("click", (event) => {
    const tab = event.target.closest("#composer [data-mode]");
    if (!tab || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    setMode(tab.dataset.mode);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
    if (event.target.id === "composer-text" && !event.isComposing) {
      event.preventDefault();
      composer().requestSubmit();
    }
  });
  count();
}
