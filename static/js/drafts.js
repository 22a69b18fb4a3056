// What is written is kept: on the server as soon as it can be, here only until it is there.

import { ask, csrfToken } from "./fragments.js";

const WAIT_MS = 400;
const AGAIN_MS = 10_000;
const PATIENCE_MS = 1500;
const DRAFT = "dexra:draft:";
const UNSENT = "dexra:unsent:";

const root = document.getElementById("inbox");
// What is not on the server yet, by what it is about; and the timers of those that wait.
const pending = new Map();
const timers = new Map();
const underWay = new Map();
let version = 0;

const own = () => `${root.dataset.agent}:`;

/** The composer as it stands now: it says itself where it belongs, whatever is open later. */
function snapshot(form) {
  const { draftUrl, mode, about = "" } = form.dataset;
  version += 1;
  return {
    id: `${draftUrl}:${mode}:${about}`,
    url: draftUrl,
    mode,
    about: form.elements.reply_to?.value ?? about,
    key: form.elements.key.value,
    content: form.elements.content.value,
    version,
  };
}

const isKept = (form) => Boolean(form?.dataset.draftUrl && form.elements.content && !form.elements.content.readOnly);

/** Somebody typed, or text was put there. */
export function noteWriting(form) {
  if (!isKept(form)) return;
  const written = snapshot(form);
  pending.set(written.id, written);
  put(DRAFT + own() + written.id, { content: written.content });
  schedule(written.id, WAIT_MS);
  showKept(false);
}

function schedule(id, wait) {
  clearTimeout(timers.get(id));
  timers.set(id, setTimeout(() => save(id), wait));
}

/** One save of one draft at a time: the last word wins. */
async function save(id) {
  await underWay.get(id);
  const written = pending.get(id);
  if (!written) return;
  pending.delete(id);
  const saving = store(written).then((isStored) => {
    if (isStored) {
      if (!pending.has(id)) localStorage.removeItem(DRAFT + own() + id);
      if (!pending.has(id)) showKept(Boolean(written.content.trim()));
    } else if (!pending.has(id) && localStorage.getItem(DRAFT + own() + id)) {
      pending.set(id, written);
      schedule(id, AGAIN_MS);
    }
  });
  underWay.set(id, saving);
  await saving;
}

async function store(written) {
  const answer = await ask(written.url, { method: "POST", body: body(written) }).catch(() => null);
  // What is not allowed, or gone, will not be taken later either.
  return Boolean(answer?.ok) || [400, 403, 404].includes(answer?.status);
}

function body(written) {
  const data = new FormData();
  data.set("csrfmiddlewaretoken", csrfToken());
  for (const name of ["mode", "about", "key", "content", "version"]) data.set(name, written[name]);
  return data;
}

/** All that waits is saved now. A line that does not answer holds nobody up: it is kept here. */
export async function flushDrafts() {
  const saved = Promise.all([...pending.keys()].map((id) => save(id))).then(() => Promise.all(underWay.values()));
  await Promise.race([saved, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
}

/** It is being sent: its server drops it with the send, and a late save is known by its key. */
export function forgetDraft(form) {
  if (!isKept(form)) return;
  const { id } = snapshot(form);
  clearTimeout(timers.get(id));
  pending.delete(id);
  localStorage.removeItem(DRAFT + own() + id);
  showKept(false);
}

/** The text has gone along into another composer: here is none any more. */
export function moveDraft(form) {
  if (!isKept(form)) return;
  const written = { ...snapshot(form), content: "" };
  localStorage.removeItem(DRAFT + own() + written.id);
  pending.set(written.id, written);
  save(written.id);
}

/** What the server never heard of stands in the field again. */
export function restoreDraft(form) {
  if (!isKept(form)) return;
  const { id } = snapshot(form);
  const kept = take(DRAFT + own() + id);
  if (kept?.content && kept.content !== form.elements.content.value) {
    form.elements.content.value = kept.content;
    noteWriting(form);
  }
}

function showKept(isShown) {
  const mark = document.getElementById("draft-kept");
  if (mark) mark.hidden = !isShown;
}

// --- what was sent and not answered ----------------------------------------------------------

/** A reply on its way survives the page: with its key, it is the same reply. */
export function keepUnsent(sending) {
  const fields = [...sending.body.entries()].filter(
    ([name, value]) => typeof value === "string" && name !== "csrfmiddlewaretoken",
  );
  put(UNSENT + own() + sending.key, {
    conversation: sending.conversation,
    url: sending.url,
    fields,
    text: sending.text,
    names: sending.names,
    isReply: sending.isReply,
  });
}

export function dropUnsent(key) {
  localStorage.removeItem(UNSENT + own() + key);
}

/** Of one conversation: what the page before this one did not see answered. */
export function unsentOf(conversation) {
  return keysOf(UNSENT + own())
    .map((name) => ({ key: name.slice((UNSENT + own()).length), ...take(name) }))
    .filter((one) => one.conversation === conversation);
}

// --- the browser's own store -----------------------------------------------------------------

function put(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Full, or not allowed: the server has it in a moment.
  }
}

function take(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

function keysOf(prefix) {
  return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
}

function erase(isErased) {
  for (const name of [...keysOf(DRAFT), ...keysOf(UNSENT)]) if (isErased(name)) localStorage.removeItem(name);
}

function leave() {
  for (const [id, written] of pending) {
    if (navigator.sendBeacon(written.url, body(written))) {
      clearTimeout(timers.get(id));
      timers.delete(id);
    }
  }
}

export function startDrafts() {
  // Whoever signed in here before has left nothing for others to read.
  erase((name) => !name.startsWith(DRAFT + own()) && !name.startsWith(UNSENT + own()));
  addEventListener("pagehide", leave);
  addEventListener("online", () => [...pending.keys()].forEach((id) => save(id)));
  document.addEventListener("visibilitychange", () => document.hidden && flushDrafts());
  document.addEventListener("htmx:beforeSwap", (event) => event.detail.target.id === "main" && flushDrafts());
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[action$='/logout/']")) return;
    leave();
    pending.clear();
    erase(() => true);
  });
}
