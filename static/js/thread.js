// The open thread: draws again what changed, keeps the reader's place, speaks of what came.

import { ask, parse, post } from "./fragments.js";

const END_TOLERANCE = 60;
const NEAR_TOP = 240;
const RETRY_AFTER_MS = [1000, 4000, 15_000];
const SPEECH_GAP_MS = 2000;
const SPEECH_STAYS_MS = 4000;

const root = document.getElementById("inbox");
let refreshing = false;
let wanted = false;
let follows = true;
let isUnread = false;

export const log = () => document.getElementById("msgs");
const stretch = () => log()?.querySelector(".dx-stretch");
const shownRevision = () => Number(stretch()?.dataset.rev ?? -1);

export function openConversation() {
  return document.getElementById("main")?.dataset.conversation ?? "";
}

/** The stream says the open conversation is at a revision. */
export function noteRevision(id, revision) {
  if (String(id) === openConversation() && revision > shownRevision()) refreshThread();
}

/** Ask for what changed; calls that come meanwhile become one more question. */
export async function refreshThread() {
  if (!log() || "isOld" in log().dataset) return;
  if (refreshing) {
    wanted = true;
    return;
  }
  refreshing = true;
  try {
    do {
      wanted = false;
      const asked = log();
      const response = await ask(threadUrl(asked));
      if (response.status === 200 && asked === log()) mergeThread(await response.text());
    } while (wanted && log());
  } catch {
    // No connection: the stream or the poll asks again.
  } finally {
    refreshing = false;
  }
}

function threadUrl(element) {
  const url = new URL(withFirstShown(element.dataset.url), location.href);
  url.searchParams.set("since", String(shownRevision()));
  return url;
}

/** The address with the first message still shown, so that everything from there is drawn again. */
export function withFirstShown(address) {
  const url = new URL(address, location.href);
  const first = stretch()?.querySelector("[data-id]");
  if (first) url.searchParams.set("from", first.dataset.id);
  return url;
}

/** Put an answer of the server in its place: only what would look different is replaced. */
export function mergeThread(html) {
  const here = stretch();
  const incoming = parse(html).querySelector(".dx-stretch");
  if (!here || !incoming || Number(incoming.dataset.rev) < shownRevision()) return;
  const followed = follows;
  const before = snapshot(here);
  const items = [...incoming.children];
  const fresh = placeItems(here, items);
  removeGone(here, items);
  here.dataset.rev = incoming.dataset.rev;
  noteHolder(here, incoming);
  speak(before, fresh);
  if (followed) scrollToEnd();
  else if (fresh.some((node) => node.dataset.direction === "in")) showJump();
  if (fresh.some((node) => node.dataset.direction === "in")) {
    isUnread = true;
    markRead();
    document.dispatchEvent(new Event("dexra:inbound"));
  }
}

/** Who has the conversation at the channel decides what the composer offers. */
function noteHolder(here, incoming) {
  if (here.dataset.held === incoming.dataset.held) return;
  here.dataset.held = incoming.dataset.held;
  document.dispatchEvent(new Event("dexra:held"));
}

function snapshot(here) {
  return new Set([...here.querySelectorAll(".dx-fail")].map((one) => one.closest("[id]")?.id));
}

function placeItems(here, items) {
  const known = new Map([...here.children].filter((one) => one.id).map((one) => [one.id, one]));
  const fresh = [];
  let next =
    items.map((item) => known.get(item.id)).find(Boolean) ?? here.querySelector("[data-pending]");
  for (const item of items) {
    const old = known.get(item.id);
    const node = old && old.dataset.v === item.dataset.v ? old : item;
    if (old && node !== old) {
      if (next === old) next = node;
      old.replaceWith(node);
    }
    if (next === node) next = node.nextElementSibling;
    else here.insertBefore(node, next);
    if (!old) fresh.push(node);
    const copy = node.dataset.key ? pendingCopy(node.dataset.key) : null;
    if (copy && copy === next) next = copy.nextElementSibling;
    copy?.remove();
  }
  return fresh;
}

function removeGone(here, items) {
  const kept = new Set(items.map((item) => item.id));
  const children = [...here.children];
  const start = children.findIndex((one) => kept.has(one.id));
  for (const child of children.slice(start)) {
    if (child.id && !kept.has(child.id)) child.remove();
  }
}

export function pendingCopy(key) {
  return log()?.querySelector(`[data-pending="${CSS.escape(key)}"]`);
}

// --- place -----------------------------------------------------------------------------------

export function scrollToEnd() {
  const element = log();
  if (!element) return;
  element.scrollTop = element.scrollHeight;
  follows = true;
  document.getElementById("jump").hidden = true;
}

function showJump() {
  document.getElementById("jump").hidden = false;
}

async function loadOlder() {
  const link = document.getElementById("older");
  const element = log();
  if (!link || link.dataset.isAsked) return;
  link.dataset.isAsked = "yes";
  const response = await ask(link.dataset.url).catch(() => null);
  if (!response?.ok || element !== log()) {
    delete link.dataset.isAsked;
    return;
  }
  const older = parse(await response.text());
  const height = element.scrollHeight;
  const above = older.querySelector(".dx-stretch");
  // The day of our first message may be written above already, by the older page.
  for (const day of above.querySelectorAll(".dx-day")) stretch().querySelector(`#${day.id}`)?.remove();
  stretch().prepend(...above.children);
  const nextLink = older.querySelector("#older");
  if (nextLink) link.replaceWith(nextLink);
  else link.remove();
  element.scrollTop += element.scrollHeight - height;
}

// --- speech ----------------------------------------------------------------------------------

let spokenAt = 0;
const silences = new Map();

function speak(failedBefore, fresh) {
  const came = fresh.filter((node) => node.dataset.direction === "in").at(-1);
  if (came && Date.now() - spokenAt > SPEECH_GAP_MS) {
    spokenAt = Date.now();
    const text = came.querySelector(".dx-bubble, .dx-card")?.textContent.trim() ?? "";
    const name = log().dataset.name;
    say("say", root.dataset.wordWrote.replace("{name}", name).replace("{text}", text));
  }
  const failed = [...stretch().querySelectorAll(".dx-fail")].find(
    (one) => !failedBefore.has(one.closest("[id]")?.id),
  );
  if (failed) say("say-now", failed.querySelector(".dx-fail-why").textContent.trim());
}

/** What was said aloud does not stay written: it may be unsent. */
export function say(region, text) {
  const element = document.getElementById(region);
  element.textContent = text;
  clearTimeout(silences.get(region));
  silences.set(region, setTimeout(() => element.replaceChildren(), SPEECH_STAYS_MS));
}

/** What came is read once somebody can see it. */
function markRead() {
  if (document.hidden || !isUnread || !log()) return;
  isUnread = false;
  post(log().dataset.readUrl).catch(() => {});
}

// --- wiring ----------------------------------------------------------------------------------

export function startThread() {
  followLog();
  document.addEventListener("click", (event) => {
    if (event.target.closest("#jump")) scrollToEnd();
    if (event.target.closest("#older")) {
      event.preventDefault();
      loadOlder();
    }
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-thread-form]");
    if (!form) return;
    event.preventDefault();
    const answer = await ask(withFirstShown(form.action), {
      method: "POST",
      body: new FormData(form, event.submitter),
    }).catch(() => null);
    settle(answer);
  });
  document.addEventListener("visibilitychange", markRead);
  // Pictures come late: whoever was at the end stays there.
  document.addEventListener("load", (event) => event.target.closest?.("#msgs") && follows && scrollToEnd(), true);
  document.addEventListener("error", hideBroken, true);
}

/** What a form about a message was answered: the thread anew, or why not. */
export async function settle(answer) {
  const html = answer ? await answer.text() : "";
  if (answer?.ok) mergeThread(html);
  else window.htmx.swap("#toasts", html || document.getElementById("tpl-trouble").innerHTML, { swapStyle: answer?.status === 409 ? "none" : "beforeend" });
}

/** A new thread was put in place of the old one. */
export function followLog() {
  const element = log();
  isUnread = false;
  if (!element) return;
  if (location.hash.startsWith("#m-") && document.querySelector(location.hash)) {
    document.querySelector(location.hash).scrollIntoView({ block: "center" });
    follows = false;
  } else if (!("isOld" in element.dataset)) {
    scrollToEnd();
  }
  // The composer grows and shrinks with what it holds.
  new ResizeObserver(() => follows && !("isOld" in element.dataset) && scrollToEnd()).observe(element);
  element.addEventListener("scroll", () => {
    follows = element.scrollHeight - element.scrollTop - element.clientHeight < END_TOLERANCE;
    if (follows) document.getElementById("jump").hidden = true;
    if (element.scrollTop < NEAR_TOP) loadOlder();
  });
}

/** Our own files may be a moment away in the storage: they are asked for again, then given up. */
function hideBroken(event) {
  const picture = event.target;
  if (!picture.matches?.("img[data-falls-back]")) return;
  picture.hidden = true;
  const tries = Number(picture.dataset.tries ?? 0);
  const url = new URL(picture.src, location.href);
  if (url.origin !== location.origin || tries >= RETRY_AFTER_MS.length) return;
  picture.dataset.tries = String(tries + 1);
  setTimeout(() => {
    url.searchParams.set("try", String(tries + 1));
    picture.addEventListener("load", () => (picture.hidden = false), { once: true });
    picture.loading = "eager"; // a lazy picture that is hidden would not load
    picture.src = url;
  }, RETRY_AFTER_MS[tries]);
}
