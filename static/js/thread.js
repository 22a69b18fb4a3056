// The open thread: draws again what changed, keeps the reader's place, speaks of what came.

import { ask, parse, post } from "./fragments.js";
import { addPage, isAtEnd, keepPlace, log, messageOf, putLink, putStretch, shownMessages, stretch, trim, trimBehindReader, withFirstShown } from "./stretch.js";

export { log, withFirstShown };

const END_TOLERANCE = 60;
// How near an edge of what is held the next page is fetched.
const NEAR_EDGE = 600;
const RETRY_AFTER_MS = [1000, 4000, 15_000];
const REFRESH_AGAIN_MS = 3000;
const SPEECH_GAP_MS = 2000;
const SPEECH_STAYS_MS = 4000;

const root = document.getElementById("inbox");
let refreshing = false;
let retrying = null;
let wanted = false;
let follows = true;
let isUnread = false;
let mustMatchHead = false;

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
  if (!log()) return;
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
    // No connection: the stream may be alive all the same, and says it only once.
    clearTimeout(retrying);
    retrying = setTimeout(refreshThread, REFRESH_AGAIN_MS);
  } finally {
    refreshing = false;
  }
}

function threadUrl(element) {
  const url = new URL(withFirstShown(element.dataset.url), location.href);
  url.searchParams.set("since", String(shownRevision()));
  return url;
}

/** Put an answer of the server in its place: only what would look different is replaced. */
export function mergeThread(html) {
  const here = stretch();
  const answer = parse(html);
  const incoming = answer.querySelector(".dx-stretch");
  if (!here || !incoming || Number(incoming.dataset.rev) < shownRevision()) return;
  if (incoming.dataset.gone) messageOf(incoming.dataset.gone)?.remove();
  const items = [...incoming.children];
  if (!continues(items)) {
    // What is shown is another part of the thread by now: it is asked for anew.
    refreshThread();
    return;
  }
  const followed = follows && isAtEnd();
  const wasAtEnd = isAtEnd();
  const before = snapshot(here);
  const hasEnd = answer.querySelector("#newer")?.hidden ?? true;
  const fresh = keepPlace(() => {
    const placed = placeItems(here, items);
    removeGone(here, items, hasEnd);
    return placed;
  });
  if (shownMessages().at(-1)?.id === items.findLast((item) => item.dataset.id)?.id) putLink(answer, "newer");
  const isNews = here.dataset.last !== incoming.dataset.last && incoming.dataset.last.startsWith("in-");
  here.dataset.rev = incoming.dataset.rev;
  here.dataset.last = incoming.dataset.last;
  noteHolder(here, incoming);
  here.dataset.head = incoming.dataset.head;
  matchHead();
  const came = wasAtEnd && fresh.some((node) => node.dataset.direction === "in");
  speak(before, wasAtEnd ? fresh : []);
  stay(followed, came || isNews);
  if (came || isNews) {
    isUnread = true;
    markRead();
    document.dispatchEvent(new Event("dexra:inbound"));
  }
}

/** Whether an answer is about what is shown: between two parts of a thread would be a gap. */
function continues(items) {
  const shown = shownMessages();
  return !shown.length || items.some((item) => item.dataset.id && messageOf(item.dataset.id));
}

/** Who follows the end goes on to; who reads further up is told, and stays. */
function stay(followed, hasNews) {
  if (followed && isAtEnd()) {
    trimBehindReader();
    scrollToEnd();
  } else if (followed) {
    jumpToNewest();
  } else {
    trim("newer");
    drawJump(hasNews);
  }
}

/** Who has the conversation at the channel decides what the composer offers. */
function noteHolder(here, incoming) {
  if (here.dataset.held === incoming.dataset.held) return;
  here.dataset.held = incoming.dataset.held;
  document.dispatchEvent(new Event("dexra:held"));
}

/** A colleague gave it to somebody, or a tag: the head and the panel say so too. */
async function matchHead() {
  const head = document.getElementById("thread-head");
  const isOutdated = () => head && head.dataset.v !== stretch()?.dataset.head;
  mustMatchHead = isActing();
  if (mustMatchHead || !isOutdated()) return;
  const response = await ask(head.dataset.url).catch(() => null);
  if (!response?.ok || head !== document.getElementById("thread-head") || !isOutdated()) return;
  const answer = parse(await response.text());
  mustMatchHead = isActing();
  if (mustMatchHead) return;
  replacePart(head, answer.querySelector("#thread-head"));
  const panel = document.getElementById("panel");
  // What somebody is writing down there is not taken from them.
  if (panel && !panel.querySelector("form.dx-contact-form")) replacePart(panel, answer.querySelector("#panel"));
}

/** The answer to an act of one's own goes to where it was asked: until then all stays where it is. */
const isActing = () => Boolean(document.querySelector(".htmx-request"));

function replacePart(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  fresh.removeAttribute("hx-swap-oob");
  old.replaceWith(fresh);
  window.htmx.process(fresh);
  if (focused) document.getElementById(focused)?.focus();
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

/** An answer speaks for all from its first message to its last, and behind that if it has the end. */
function removeGone(here, items, hasEnd) {
  const kept = new Set(items.map((item) => item.id));
  const children = [...here.children];
  const start = children.findIndex((one) => kept.has(one.id));
  const end = hasEnd ? children.length : children.findLastIndex((one) => kept.has(one.id)) + 1;
  for (const child of start < 0 ? children : children.slice(start, end)) {
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
  if (!isAtEnd()) {
    jumpToNewest();
    return;
  }
  element.scrollTop = element.scrollHeight;
  follows = true;
  drawJump(false);
}

const jump = () => document.getElementById("jump");
const distanceToEnd = () => log().scrollHeight - log().scrollTop - log().clientHeight;

/** The way back to the end, for who is far from it; it says so if somebody has written there. */
function drawJump(hasNews) {
  const button = jump();
  if (hasNews) button.dataset.isNews = "";
  if (follows) delete button.dataset.isNews;
  const isNews = "isNews" in button.dataset;
  button.hidden = follows || !(isNews || !isAtEnd() || distanceToEnd() > log().clientHeight);
  button.querySelector("span").textContent = isNews ? button.dataset.wordNew : button.dataset.wordEnd;
}

async function load(side) {
  const link = document.getElementById(side);
  const element = log();
  if (!link || link.hidden || link.dataset.isAsked) return false;
  link.dataset.isAsked = "yes";
  const response = await ask(link.dataset.url).catch(() => null);
  // The edge may have moved meanwhile, or another thread be open.
  const isStill = link === document.getElementById(side) && element === log() && link.dataset.isAsked;
  if (!isStill) return false;
  delete link.dataset.isAsked;
  if (!response?.ok) return false;
  addPage(await response.text(), side);
  return true;
}

/** Returns whether there was any more. */
export const loadOlder = () => load("older");
export const loadNewer = () => load("newer");

async function putInstead(url) {
  const element = log();
  const response = await ask(url).catch(() => null);
  if (!response?.ok || element !== log()) return false;
  putStretch(await response.text());
  return true;
}

/** The live end of the thread in place of what is shown. */
async function jumpToNewest() {
  if (!(await putInstead(log().dataset.url))) return;
  leaveAddress();
  scrollToEnd();
  isUnread = true;
  markRead();
}

/** To a message, wherever in the thread it is. */
export async function openMessage(id) {
  if (!messageOf(id)) {
    const url = new URL(log().dataset.url, location.href);
    url.searchParams.set("around", id);
    if (!(await putInstead(url))) return;
  }
  const url = new URL(location.href);
  url.searchParams.set("message", id);
  history.replaceState(history.state, "", url);
  for (const old of log().querySelectorAll("[data-target]")) delete old.dataset.target;
  const message = messageOf(id);
  message.dataset.target = "";
  message.tabIndex = -1;
  show(message);
}

function show(message) {
  follows = false;
  message.scrollIntoView({ block: "center" });
  message.focus({ preventScroll: true });
  drawJump(false);
}

/** The address names a message no more: a reload would lead back to it. */
function leaveAddress() {
  const url = new URL(location.href);
  for (const name of ["message", "before", "after"]) url.searchParams.delete(name);
  url.hash = "";
  history.replaceState(history.state, "", url);
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
  if (document.hidden || !isUnread || !isAtEnd()) return;
  isUnread = false;
  post(log().dataset.readUrl).catch(() => {});
}

// --- wiring ----------------------------------------------------------------------------------

export function startThread() {
  followLog();
  document.addEventListener("click", (event) => {
    if (event.target.closest("#jump")) {
      scrollToEnd();
      log().focus({ preventScroll: true });
    }
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target.closest("#older, #newer, #msgs a[href^='#m-']");
    if (!link) return;
    event.preventDefault();
    if (link.hash.startsWith("#m-")) openMessage(link.hash.slice(3));
    else load(link.id);
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
  document.addEventListener("htmx:afterRequest", () => mustMatchHead && matchHead());
  document.addEventListener("visibilitychange", markRead);
  // Pictures come late: whoever was at the end stays there.
  document.addEventListener("load", (event) => event.target.closest?.("#msgs") && follows && scrollToEnd(), true);
  document.addEventListener("error", hideBroken, true);
  document.addEventListener("error", sayUnplayable, true);
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
  follows = true;
  if (!element) return;
  const named = location.hash.startsWith("#m-") && document.querySelector(location.hash);
  const target = element.querySelector("[data-target]") ?? named;
  if (target) show(target);
  else scrollToEndOrSayWhere();
  // The composer grows and shrinks with what it holds.
  new ResizeObserver(() => follows && isAtEnd() && scrollToEnd()).observe(element);
  element.addEventListener("scroll", () => {
    if (element !== log()) return;
    follows = isAtEnd() && distanceToEnd() < END_TOLERANCE;
    drawJump(false);
    if (element.scrollTop < NEAR_EDGE) loadOlder();
    if (distanceToEnd() < NEAR_EDGE) loadNewer();
  });
}

function scrollToEndOrSayWhere() {
  follows = isAtEnd();
  if (follows) scrollToEnd();
  else drawJump(false);
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

/** A film or a voice that does not play says so, and can still be opened. */
function sayUnplayable(event) {
  const player = event.target;
  if (!player.matches?.("[data-plays]")) return;
  player.hidden = true;
  player.nextElementSibling.hidden = false;
}
