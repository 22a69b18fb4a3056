// What is told outside the page: notifications of the browser, and the number in the title.
// The stream says which conversation and why; the words come from the server.

import { hideBanner, showBanner } from "./banner.js";
import { ask } from "./fragments.js";
import { openConversation } from "./thread.js";

// What comes together is told together: after a sleep that may be much.
const GATHER_MS = 300;
const LATER = "dexra-notify-later";
const PREFIX = /^\(\d+\+?\) /;

const root = document.getElementById("inbox");
const canNotify = "Notification" in window && "locks" in navigator;
// One page of the browser speaks for all; each that is looked at silences it.
const VOICE = `dexra-voice-${root.dataset.agent}`;
const SEEN = `dexra-seen-${root.dataset.agent}`;
const others = new BroadcastChannel(`dexra-${root.dataset.agent}`);

const waiting = new Map();
const shown = new Set();
let hasMissed = false;
let gathering = null;
let isVoice = false;
let giveVoice = () => {};
let unsee = null;
let unread = "";

/** Whether this page is the one that speaks. */
export const speaks = () => isVoice;

// --- which page speaks -----------------------------------------------------------------------

/** Returns what lets the lock go again. */
function hold(name, options, onHeld = () => {}) {
  let isLeft = false;
  let leave;
  const left = new Promise((resolve) => (leave = resolve));
  navigator.locks.request(name, options, () => {
    if (!isLeft) onHeld();
    return left;
  });
  return () => {
    isLeft = true;
    leave();
  };
}

function noteSeen() {
  if (document.hidden) {
    unsee?.();
    unsee = null;
  } else {
    unsee ??= hold(SEEN, { mode: "shared" });
    for (const notification of shown) notification.close();
    shown.clear();
  }
}

async function isSeen() {
  const { held } = await navigator.locks.query();
  return held.some((lock) => lock.name === SEEN);
}

function takeVoice(onVoice) {
  giveVoice = hold(VOICE, {}, () => {
    isVoice = true;
    onVoice();
  });
}

// --- telling ---------------------------------------------------------------------------------

export function noteNotify({ id, kind }) {
  waiting.set(String(id), kind);
  gathering ??= setTimeout(tell, GATHER_MS);
}

/** The stream does not know any more what this page has not heard. */
export function noteMissed() {
  hasMissed = true;
  gathering ??= setTimeout(tell, GATHER_MS);
}

async function tell() {
  const url = new URL(root.dataset.notificationsUrl, location.href);
  url.searchParams.set("about", [...waiting].map((pair) => pair.join(":")).join(","));
  if (hasMissed) url.searchParams.set("missed", Number.parseInt(unread || "0", 10));
  gathering = null;
  hasMissed = false;
  waiting.clear();
  if (!isVoice || Notification.permission !== "granted" || (await isSeen())) return;
  const response = await ask(url).catch(() => null);
  if (!response?.ok || (await isSeen())) return;
  for (const one of (await response.json()).notifications) show(one);
}

/** null where the browser shows none from a page (Android's wants a service worker): the title counts. */
function notificationOf(title, options) {
  try {
    return new Notification(title, options);
  } catch {
    return null;
  }
}

function show({ id, title, body, tag, url, is_silent: silent }) {
  const notification = notificationOf(title, {
    body,
    silent,
    tag: `dexra-${tag}`,
    renotify: !silent,
    dir: document.documentElement.dir,
    lang: document.documentElement.lang,
  });
  if (!notification) return;
  shown.add(notification);
  notification.onclose = () => shown.delete(notification);
  notification.onclick = () => {
    window.focus();
    notification.close();
    go(id, url);
  };
}

function go(id, url) {
  if (id !== null && String(id) === openConversation()) return;
  const row = document.getElementById(`row-${id}`);
  if (row) window.htmx.trigger(row, "click");
  else location.assign(url);
}

// --- being allowed to ------------------------------------------------------------------------

/** Only ever after a click. */
async function askPermission() {
  if (Notification.permission === "default") await Notification.requestPermission();
  hideBanner("notify");
}

function offerNotifications() {
  const isOpen = Notification.permission === "default" && "notifies" in root.dataset;
  if (isOpen && !localStorage.getItem(LATER)) showBanner("notify");
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-asks-notify]")) askPermission();
    if (event.target.closest("#notify-later")) {
      localStorage.setItem(LATER, "1");
      hideBanner("notify");
    }
  });
}

// --- the title -------------------------------------------------------------------------------

function drawTitle() {
  const bare = document.title.replace(PREFIX, "");
  const wanted = unread ? `(${unread}) ${bare}` : bare;
  if (document.title !== wanted) document.title = wanted;
}

function readUnread() {
  const found = document.getElementById("views").dataset.unread;
  if (found === unread) return;
  unread = found;
  others.postMessage({ unread });
  drawTitle();
}

function startTitle() {
  // The views come anew with every act, numbers by the stream, the title with every conversation.
  new MutationObserver(readUnread).observe(root, { childList: true });
  document.addEventListener("dexra:counts", readUnread);
  new MutationObserver(drawTitle).observe(document.querySelector("title"), { childList: true });
  others.addEventListener("message", ({ data }) => {
    unread = data.unread;
    drawTitle();
  });
  readUnread();
}

/** onVoice: this page has become the one that speaks. */
export function startNotify(onVoice) {
  startTitle();
  if (!canNotify) return;
  offerNotifications();
  noteSeen();
  takeVoice(onVoice);
  document.addEventListener("visibilitychange", noteSeen);
  addEventListener("pagehide", () => {
    giveVoice();
    unsee?.();
    unsee = null;
    isVoice = false;
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    noteSeen();
    takeVoice(onVoice);
  });
}
