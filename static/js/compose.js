// Writing: sent at once in the agent's eyes, once in truth; the text is never lost.

import { hideBanner, showBanner } from "./banner.js";
import { addFiles, chosenFiles, clearFiles, startFiles } from "./files.js";
import { ask, copy, parse, post } from "./fragments.js";
import { log, mergeThread, pendingCopy, scrollToEnd, settle, withFirstShown } from "./thread.js";

const SHOW_COUNTER_FROM = 0.7;
const TYPING_EVERY_MS = 10_000;
// What the composer is about beside its mode; the server is asked with the same words.
const ABOUT = ["about", "quote", "template"];
const encoder = new TextEncoder();
// Replies leave in the order in which they were written, one after the other.
let line = Promise.resolve();

export const composer = () => document.getElementById("composer");
export const field = () => document.getElementById("composer-text");

// --- sending ---------------------------------------------------------------------------------

function submit(form) {
  const text = form.elements.content?.value ?? "";
  const files = chosenFiles();
  if (!text.trim() && !files.length && !form.dataset.template) return;
  const sending = {
    url: form.action,
    body: new FormData(form),
    key: form.elements.key.value,
    text,
    files,
    isReply: form.dataset.mode !== "note",
    // Answered comments and sent templates are done with: the composer is for messages again.
    isOnce: "about" in form.dataset || "template" in form.dataset,
    thread: log(),
  };
  if (sending.isReply) showPending(sending, previewOf(form));
  form.elements.key.value = crypto.randomUUID();
  if (form.elements.content) form.elements.content.value = "";
  clearFiles();
  dropQuote();
  form.querySelector("#composer-error")?.replaceChildren();
  count();
  line = line.then(() => send(sending));
}

const previewOf = (form) => form.querySelector("#template-preview")?.textContent ?? "";

function showPending(sending, preview) {
  const bubble = copy("tpl-pending");
  const names = sending.files.map((file) => file.name);
  bubble.dataset.pending = sending.key;
  bubble.querySelector(".dx-bubble p").textContent = [...names, sending.text || preview]
    .filter(Boolean)
    .join("\n");
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
    if (isHere && sending.isOnce) openComposer({ mode: "reply" });
  } else if (response?.status === 422 && isHere) {
    pendingCopy(sending.key)?.remove();
    replaceComposer(await response.text());
    if (sending.files.length) restoreFiles(sending.files);
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

/** The refusal stays written: putting the files back says nothing of its own. */
function restoreFiles(files) {
  const said = [...document.getElementById("composer-error").childNodes];
  addFiles(files);
  document.getElementById("composer-error").replaceChildren(...said);
}

/** A new composer in place of the old one; what was written and chosen meanwhile goes along. */
function replaceComposer(html) {
  const old = composer();
  const written = field()?.value ?? "";
  const files = chosenFiles();
  const hadFocus = old.contains(document.activeElement);
  const fresh = parse(html).querySelector("#composer");
  old.replaceWith(fresh);
  window.htmx.process(fresh);
  if (written && field()) field().value = field().value ? `${field().value}\n${written}` : written;
  if (files.length) addFiles(files);
  if (hadFocus) (field() ?? fresh.querySelector("input:not([type=hidden])"))?.focus();
  count();
}

// --- modes -----------------------------------------------------------------------------------

export async function setMode(mode) {
  const form = composer();
  if (!form) return;
  if (form.dataset.mode !== mode) await openComposer({ mode });
  field()?.focus();
}

/** Another composer: about a comment, with a quote, with a template, or for plain messages. */
export async function openComposer(wanted) {
  const html = await fetchComposer(wanted);
  if (!html) return;
  replaceComposer(html);
  (field() ?? composer().querySelector("input:not([type=hidden])"))?.focus();
}

/** The composer as the server sees it now: its window may have closed, or opened. */
export async function refreshComposer() {
  const form = composer();
  if (!form) return;
  const html = await fetchComposer(form.dataset);
  if (!html || form !== composer()) return;
  const fresh = parse(html).querySelector("#composer");
  // Whoever is typing keeps the field, the place in it, and half-composed letters.
  if (fresh.dataset.state !== form.dataset.state) replaceComposer(html);
  else form.querySelector(".dx-window")?.replaceWith(fresh.querySelector(".dx-window") ?? "");
}

async function fetchComposer(wanted) {
  const form = composer();
  if (!form) return "";
  const url = new URL(form.dataset.url, location.href);
  url.searchParams.set("mode", wanted.mode);
  for (const name of ABOUT) {
    // In reply mode the server itself chooses the comment that is left to answer.
    if (wanted[name] && !(name === "about" && wanted.mode === "reply")) {
      url.searchParams.set(name, wanted[name]);
    }
  }
  const response = await ask(url).catch(() => null);
  // What can no longer be answered like this leaves the composer for messages.
  if (response?.status === 404 && wanted.mode !== "reply") return fetchComposer({ mode: "reply" });
  return response?.ok && form === composer() ? response.text() : "";
}

function dropQuote() {
  document.getElementById("composer-quote")?.remove();
}

/** Buttons inside the composer that do something else than send: take over, give back. */
async function act(button) {
  button.disabled = true;
  const answer = await ask(withFirstShown(button.formAction), {
    method: "POST",
    body: new FormData(composer()),
  }).catch(() => null);
  await settle(answer);
  button.disabled = false;
  openComposer({ mode: "reply" });
}

// --- counting, typing, templates -------------------------------------------------------------

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

let typedAt = 0;
let typedIn = "";

/** Tell now and then that somebody writes; nobody waits for it, and it may be lost. */
function noteTyping() {
  const url = composer()?.dataset.typingUrl;
  if (!url || !field()?.value.trim()) return;
  if (url === typedIn && Date.now() - typedAt < TYPING_EVERY_MS) return;
  [typedAt, typedIn] = [Date.now(), url];
  post(url).catch(() => {});
}

function fillPreview() {
  const preview = document.getElementById("template-preview");
  let words = preview.dataset.body;
  for (const input of composer().querySelectorAll("[data-place]")) {
    if (input.value) words = words.replaceAll(new RegExp(`\\{\\{\\s*${input.dataset.place}\\s*\\}\\}`, "g"), () => input.value);
  }
  preview.textContent = words;
}

// --- wiring ----------------------------------------------------------------------------------

function followLink(event) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target.closest("#composer a[data-mode], #composer a[data-template], #composer [data-unquote]");
  if (!link) return;
  event.preventDefault();
  if ("unquote" in link.dataset) {
    dropQuote();
    field()?.focus();
  } else if (link.dataset.template) {
    openComposer({ mode: "reply", template: link.dataset.template });
  } else if ("about" in composer().dataset || "fresh" in link.dataset) {
    openComposer({ mode: link.dataset.mode });
  } else {
    setMode(link.dataset.mode);
  }
}

export function startComposer() {
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "composer") return;
    event.preventDefault();
    if (event.submitter?.hasAttribute("formaction")) act(event.submitter);
    else submit(event.target);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "composer-text") {
      count();
      noteTyping();
    }
    if (event.target.matches("#composer [data-place]")) fillPreview();
  });
  document.addEventListener("click", followLink);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
    if (event.target.matches("#composer-text, #composer input") && !event.isComposing) {
      event.preventDefault();
      composer().requestSubmit(composer().querySelector("[type=submit]:not([formaction])"));
    }
  });
  // Another app took the conversation, or gave it back.
  document.addEventListener("dexra:held", () => openComposer({ mode: "reply" }));
  startFiles();
  count();
}
