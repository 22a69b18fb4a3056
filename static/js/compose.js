// Writing: sent at once in the agent's eyes, once in truth; the text is never lost.

import { hideBanner, showBanner } from "./banner.js";
import { dropUnsent, flushDrafts, forgetDraft, keepUnsent, moveDraft, noteWriting, restoreDraft, startDrafts, unsentOf } from "./drafts.js";
import { startEmoji } from "./emoji.js";
import { fileNames, giveFilesBack, say, settleFiles, startFiles, takeFiles, troubleOf, chosenFiles } from "./files.js";
import { ask, copy, parse, post } from "./fragments.js";
import { currentRow, neighbourOf, refreshRows } from "./rows.js";
import { startSuggestions } from "./suggest.js";
import { log, mergeThread, openConversation, pendingCopy, refreshThread, scrollToEnd, settle, withFirstShown } from "./thread.js";

const SHOW_COUNTER_FROM = 0.7;
const TYPING_EVERY_MS = 10_000;
const PARTS_WAIT_MS = 300;
// What the composer is about beside its mode; the server is asked with the same words.
const ABOUT = ["about", "quote", "template"];
const encoder = new TextEncoder();
// Replies leave in the order in which they were written, one after the other.
let line = Promise.resolve();

export const composer = () => document.getElementById("composer");
export const field = () => document.getElementById("composer-text");

// --- sending ---------------------------------------------------------------------------------

function submit(form, submitter) {
  const text = form.elements.content?.value ?? "";
  const files = chosenFiles();
  if (!text.trim() && !files.length && !form.dataset.template) return;
  if (troubleOf(files)) {
    say([troubleOf(files)]);
    return;
  }
  const body = new FormData(form, submitter);
  if (form.dataset.isOver) body.set("parts", form.dataset.isOver);
  // The shelf's own ids follow once all of it has arrived.
  body.delete("upload");
  body.delete("files");
  if (newestShown()) body.set("seen", newestShown());
  const sending = {
    url: form.action,
    body,
    key: form.elements.key.value,
    text,
    files,
    names: fileNames(files),
    isReply: form.dataset.mode !== "note",
    // Answered comments and sent templates are done with: the composer is for messages again.
    isOnce: "about" in form.dataset || "template" in form.dataset,
    leaves: ["close"].includes(submitter?.value) || submitter?.value.startsWith("snooze:"),
    conversation: openConversation(),
    thread: log(),
  };
  forgetDraft(form);
  takeFiles();
  if (sending.isReply) showPending(sending, previewOf(form));
  reset(form);
  queue(sending);
}

function queue(sending) {
  line = line.then(() => sendWithFiles(sending));
}

const previewOf = (form) => form.querySelector("#template-preview")?.textContent ?? "";

/** The composer is empty, for the next message. */
function reset(form) {
  form.elements.key.value = crypto.randomUUID();
  if (form.elements.draft) form.elements.draft.value = "";
  if (form.elements.content) form.elements.content.value = "";
  for (const id of ["composer-steps", "composer-chips", "composer-error"]) {
    document.getElementById(id)?.replaceChildren();
  }
  const choices = document.getElementById("composer-choices");
  if (choices) choices.hidden = true;
  delete form.dataset.blanks;
  form.querySelector("#send-menu")?.removeAttribute("open");
  dropQuote();
  count();
}

/** The newest message that this page shows: what came later, the agent has not read. */
function newestShown() {
  if (!log() || "isOld" in log().dataset) return 0;
  return Math.max(0, ...[...log().querySelectorAll(".dx-stretch > [data-id]")].map((one) => Number(one.dataset.id)));
}

function showPending(sending, preview = "") {
  const bubble = copy("tpl-pending");
  bubble.dataset.pending = sending.key;
  bubble.querySelector(".dx-bubble p").textContent = [...sending.names, sending.text || preview]
    .filter(Boolean)
    .join("\n");
  bubble.querySelector('[data-act="retry"]').addEventListener("click", () => {
    setFailed(bubble, false);
    queue(sending);
  });
  bubble.querySelector('[data-act="edit"]').addEventListener("click", () => {
    bubble.remove();
    dropUnsent(sending.key);
    giveBack(sending);
  });
  bubble.querySelector('[data-act="discard"]').addEventListener("click", () => {
    bubble.remove();
    dropUnsent(sending.key);
  });
  sending.thread.querySelector(".dx-stretch").append(bubble);
  scrollToEnd();
  return bubble;
}

function setFailed(bubble, isFailed) {
  bubble.classList.toggle("dx-sending", !isFailed);
  bubble.querySelector(".dx-bubble").classList.toggle("dx-bubble-fail", isFailed);
  bubble.querySelector(".dx-meta").hidden = isFailed;
  bubble.querySelector(".dx-fail").hidden = !isFailed;
}

async function sendWithFiles(sending) {
  const ids = await settleFiles(sending.files);
  if (!ids) {
    pendingCopy(sending.key)?.remove();
    if (sending.thread === log()) giveBack(sending);
    say([troubleOf(sending.files)]);
    return;
  }
  if (!sending.body.has("upload")) for (const id of ids) sending.body.append("upload", id);
  keepUnsent(sending);
  await send(sending);
}

/** The same key twice is the same message: trying again after a lost answer sends nothing twice. */
async function send(sending) {
  const url = sending.thread === log() ? withFirstShown(sending.url) : sending.url;
  const response = await ask(url, { method: "POST", body: sending.body }).catch(() => null);
  const isHere = sending.thread === log();
  if (response?.ok) {
    hideBanner("offline");
    dropUnsent(sending.key);
    if (isHere) showSent(await response.text());
    pendingCopy(sending.key)?.remove();
    if (isHere && sending.isOnce) openComposer({ mode: "reply" });
    if (isHere && sending.leaves) leave(sending);
  } else if (response?.status === 409 && isHere) {
    askFirst(sending, await response.text());
  } else if (response?.status === 422 && isHere) {
    pendingCopy(sending.key)?.remove();
    dropUnsent(sending.key);
    replaceComposer(await response.text(), JOINED);
    noteWriting(composer());
  } else {
    if (!response) showBanner("offline");
    const bubble = isHere && pendingCopy(sending.key);
    // The stream may bring what was sent before its answer is known to be lost.
    if (isHere && isInThread(sending.key)) dropUnsent(sending.key);
    else if (bubble) setFailed(bubble, true);
    // A note has no bubble; of a reply, the next look at its conversation tells.
    else if (isHere) giveBack(sending);
  }
}

function showSent(html) {
  mergeThread(html);
  const head = parse(html).querySelector("#thread-head");
  if (!head) return;
  document.getElementById("thread-head").replaceWith(head);
  window.htmx.process(head);
}

/** After Done the next conversation is at hand, as after the button in the head. */
async function leave(sending) {
  const row = currentRow();
  const next = row && neighbourOf(row);
  await refreshRows([sending.conversation]);
  if (!currentRow() && openConversation() === sending.conversation) next?.focus();
}

/** What could not be sent stands in the composer again, before what was written since. */
function giveBack(sending) {
  giveFilesBack(sending.files);
  const here = field();
  if (!here) return;
  here.value = here.value ? `${sending.text}\n${here.value}` : sending.text;
  dropUnsent(sending.key);
  noteWriting(composer());
  count();
  here.focus();
}

/** Something newer came, or a colleague was quicker: the agent decides. */
function askFirst(sending, html) {
  const dialog = parse(html).querySelector("dialog");
  if (!dialog) {
    pendingCopy(sending.key)?.remove();
    giveBack(sending);
    return;
  }
  document.body.append(dialog);
  refreshThread();
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue === "send") {
      sending.body.set("seen", dialog.dataset.seen);
      queue(sending);
      return;
    }
    pendingCopy(sending.key)?.remove();
    dropUnsent(sending.key);
    if (dialog.returnValue === "discard") dropServerDraft(sending);
    else giveBack(sending);
  });
  dialog.showModal();
}

function dropServerDraft(sending) {
  const form = composer();
  if (!form || form.elements.content?.value) return;
  moveDraft(form);
}

const isInThread = (key) => Boolean(log().querySelector(`[data-key="${CSS.escape(key)}"]`));

/** Replies that the page before this one did not see answered: nothing is sent by itself. */
function showUnsent() {
  if (!log() || !composer()) return;
  for (const kept of unsentOf(openConversation())) {
    if (isInThread(kept.key)) {
      dropUnsent(kept.key);
      continue;
    }
    if (pendingCopy(kept.key)) continue;
    if (!kept.isReply) {
      giveBackNote(kept);
      continue;
    }
    const body = new FormData();
    for (const [name, value] of kept.fields) body.append(name, value);
    body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    const sending = { ...kept, body, files: [], isOnce: false, leaves: false, thread: log() };
    // The draft of it is the same words: they stand in the bubble.
    if (field()?.value === kept.text && kept.text) {
      field().value = "";
      count();
    }
    setFailed(showPending(sending), true);
  }
}

function giveBackNote(kept) {
  if (composer().dataset.mode !== "note") return;
  dropUnsent(kept.key);
  if (field() && field().value !== kept.text) giveBack({ ...kept, files: [] });
}

// How the text of two composers comes together: the page's own stays; what was written goes along
// unless the other has its own; what was refused stands before what was written since; or the
// server has joined them already.
const [SAME, MOVED, JOINED, SERVER] = ["same", "moved", "joined", "server"];

/** A new composer in place of the old one; what was written and chosen meanwhile goes along. */
function replaceComposer(html, how) {
  const old = composer();
  const written = field()?.value ?? "";
  const files = how === SERVER ? [] : chosenFiles();
  const hadFocus = old.contains(document.activeElement);
  const fresh = parse(html).querySelector("#composer");
  const theirs = fresh.querySelector("#composer-text")?.value ?? "";
  if (how === MOVED && written && !theirs) moveDraft(old);
  old.replaceWith(fresh);
  window.htmx.process(fresh);
  if (field() && how !== SERVER) field().value = together(how, written, theirs);
  if (files.length && document.getElementById("composer-files")) {
    document.getElementById("composer-files").replaceChildren(...files);
  }
  if (hadFocus) (field() ?? fresh.querySelector("input:not([type=hidden])"))?.focus();
  if (how === MOVED && written && !theirs) noteWriting(fresh);
  else restoreDraft(fresh);
  count();
}

function together(how, written, theirs) {
  if (how === JOINED && written && theirs) return `${theirs}\n${written}`;
  if (how === MOVED && theirs) return theirs;
  return written || theirs;
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
  const form = composer();
  // The other composer is asked for with all that is known of this one.
  await flushDrafts();
  const html = await fetchComposer(wanted);
  if (!html || form !== composer()) return;
  const isOther = form.dataset.mode !== wanted.mode || (form.dataset.about ?? "") !== (wanted.about ?? "");
  replaceComposer(html, isOther ? MOVED : SAME);
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
  if (fresh.dataset.state !== form.dataset.state) replaceComposer(html, SAME);
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
  showParts(form, used > limit ? Math.ceil(used / limit) : 0);
}

let partsTimer = null;

/** Over the limit the button says how many messages it will be; the server, which. */
function showParts(form, number) {
  const place = document.getElementById("composer-parts");
  if (!place) return;
  clearTimeout(partsTimer);
  sayParts(form, number);
  if (!number) {
    place.replaceChildren();
    return;
  }
  partsTimer = setTimeout(async () => {
    const answer = await post(form.dataset.partsUrl, { content: field().value }).catch(() => null);
    if (!answer?.ok || form !== composer() || !form.dataset.isOver) return;
    place.innerHTML = await answer.text();
    sayParts(form, place.querySelectorAll("li").length);
  }, PARTS_WAIT_MS);
}

function sayParts(form, number) {
  const label = form.querySelector("#send-label");
  if (number) form.dataset.isOver = number;
  else delete form.dataset.isOver;
  label.textContent = number ? label.dataset.many.replace("{n}", number) : label.dataset.one;
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

// --- quick replies ---------------------------------------------------------------------------

function addChoice(input) {
  const title = input.value.trim();
  const chips = document.getElementById("composer-chips");
  const isThere = [...chips.querySelectorAll("input")].some((one) => one.value === title);
  if (!title || isThere || chips.children.length >= Number(input.dataset.most)) return;
  const chip = copy("tpl-choice");
  chip.querySelector("input").value = title;
  chip.querySelector("bdi").textContent = title;
  const button = chip.querySelector("button");
  button.setAttribute("aria-label", button.dataset.word.replace("{what}", () => title));
  chips.append(chip);
  input.value = "";
  input.disabled = chips.children.length >= Number(input.dataset.most);
}

function pressChoices(event) {
  if (!event.target.closest("#send-menu")) document.getElementById("send-menu")?.removeAttribute("open");
  const place = document.getElementById("composer-choices");
  if (event.target.closest("[data-choices]")) {
    place.hidden = !place.hidden;
    if (!place.hidden) place.querySelector("input:not([type=hidden])").focus();
  }
  const chip = event.target.closest("#composer-chips button");
  if (chip) {
    chip.parentElement.remove();
    const input = document.getElementById("composer-choice");
    input.disabled = false;
    input.focus();
  }
}

// --- taken back ------------------------------------------------------------------------------

/** Undo, or Edit: the reply stands in the composer again, and is gone from the thread. */
async function bringBack(form) {
  await flushDrafts();
  const answer = await ask(withFirstShown(form.action), { method: "POST", body: new FormData(form) }).catch(() => null);
  if (!answer?.ok) return settle(answer);
  const html = await answer.text();
  mergeThread(html);
  replaceComposer(html, SERVER);
  field()?.focus();
}

/** The seconds in which a reply may be taken back go by; then it leaves. */
function tick() {
  for (const time of document.querySelectorAll("[data-undo-until]")) {
    const left = Math.ceil((new Date(time.dataset.undoUntil) - Date.now()) / 1000);
    if (left > 0) time.textContent = time.dataset.word.replace("{n}", left);
    else time.closest("form").hidden = true;
  }
}

// --- keys ------------------------------------------------------------------------------------

function pressKey(event) {
  const menu = document.getElementById("send-menu");
  if (event.key === "Escape" && menu?.open) {
    event.preventDefault();
    menu.removeAttribute("open");
    menu.firstElementChild.focus();
    return;
  }
  if (event.key !== "Enter" || event.isComposing || event.altKey) return;
  if (event.target.id === "composer-choice") {
    event.preventDefault();
    addChoice(event.target);
    return;
  }
  if (!event.target.matches("#composer-text, #composer input")) return;
  const isForced = event.metaKey || event.ctrlKey;
  const isPlain = "enterSends" in composer().dataset && event.target.id === "composer-text" && !event.shiftKey;
  if (!isForced && !isPlain) return;
  event.preventDefault();
  const done = composer().querySelector("[name=then][value=close]");
  const isDone = isForced && event.shiftKey && done;
  composer().requestSubmit(isDone ? done : composer().querySelector("[type=submit]:not([formaction], [name=then])"));
}

/** A composer has come with its page: what was kept here goes into it. */
function begin() {
  restoreDraft(composer());
  showUnsent();
  count();
}

export function startComposer() {
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-take-back]")) {
      event.preventDefault();
      bringBack(event.target);
    }
    if (event.target.id !== "composer") return;
    event.preventDefault();
    if (event.submitter?.hasAttribute("formaction")) act(event.submitter);
    else submit(event.target, event.submitter);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "composer-text") {
      count();
      noteWriting(composer());
      noteTyping();
    }
    if (event.target.matches("#composer [data-place]")) fillPreview();
  });
  document.addEventListener("click", followLink);
  document.addEventListener("click", pressChoices);
  // A choice among suggestions comes first.
  startSuggestions();
  document.addEventListener("keydown", pressKey);
  document.addEventListener("dexra:make-note", () => setMode("note"));
  document.addEventListener("dexra:opened", begin);
  // Another app took the conversation, or gave it back.
  document.addEventListener("dexra:held", () => openComposer({ mode: "reply" }));
  startFiles();
  startDrafts();
  startEmoji();
  setInterval(tick, 1000);
  begin();
}
