// The part of the thread that the page holds: one stretch without gaps, never longer than a screen
// needs. What is scrolled far away is dropped and comes again; the reader's place stays.

import { parse } from "./fragments.js";

// Below the server's own bound for one refresh (inbox/pages/thread.py): so that what is shown is
// always drawn again whole.
const MOST_SHOWN = 160;
// What stays of it for who follows the end: a refresh there is asked for with every message.
const KEPT_AT_END = 80;

export const log = () => document.getElementById("msgs");
export const stretch = () => log()?.querySelector(".dx-stretch");
export const isAtEnd = () => Boolean(log()) && !("isOld" in log().dataset);
export const shownMessages = () => [...(stretch()?.querySelectorAll(":scope > [data-id]") ?? [])];
export const messageOf = (id) => document.getElementById(`m-${id}`);

/** The address with the first message still shown, so that everything from there is drawn again. */
export function withFirstShown(address) {
  const url = new URL(address, location.href);
  const first = shownMessages()[0];
  if (first) url.searchParams.set("from", first.dataset.id);
  return url;
}

/** Change something; whatever the reader looks at stays where it stands. Returns what it returns. */
export function keepPlace(change) {
  const element = log();
  const edge = element.getBoundingClientRect().top;
  const seen = shownMessages()
    .map((one) => ({ id: one.id, box: one.getBoundingClientRect() }))
    .filter(({ box }) => box.bottom > edge);
  const result = change();
  const held = seen.find(({ id }) => document.getElementById(id));
  if (held) {
    const by = document.getElementById(held.id).getBoundingClientRect().top - held.box.top;
    if (by) element.scrollTop += by;
  }
  return result;
}

// --- more of it ------------------------------------------------------------------------------

/** An older or a newer page, as the server answered it. */
export function addPage(html, side) {
  const page = parse(html);
  const here = stretch();
  const items = page.querySelector(".dx-stretch").children;
  keepPlace(() => {
    if (side === "older") {
      // The day of our first message may be written above already, by the older page.
      for (const item of items) if (item.matches(".dx-day")) here.querySelector(`#${item.id}`)?.remove();
      here.prepend(...items);
    } else {
      const fresh = [...items].filter((item) => !here.querySelector(`#${item.id}`));
      (shownMessages().at(-1) ?? here.lastElementChild)?.after(...fresh);
    }
    putLink(page, side);
  });
  trim(side === "older" ? "newer" : "older");
}

/** Another stretch in place of this one. What waits to be sent goes along. */
export function putStretch(html) {
  const answer = parse(html);
  const fresh = answer.querySelector(".dx-stretch");
  const waiting = [...stretch().querySelectorAll("[data-pending]")].filter(
    (one) => !fresh.querySelector(`[data-key="${CSS.escape(one.dataset.pending)}"]`),
  );
  stretch().replaceWith(fresh);
  fresh.append(...waiting);
  putLink(answer, "older");
  putLink(answer, "newer");
}

/** The way on to older or newer messages, as an answer has it. */
export function putLink(answer, side) {
  const link = answer.querySelector(`#${side}`);
  if (!link) return;
  document.getElementById(side).replaceWith(link);
  if (side === "newer") noteEnd();
}

function noteEnd() {
  if (document.getElementById("newer").hidden) delete log().dataset.isOld;
  else log().dataset.isOld = "";
}

// --- less of it ------------------------------------------------------------------------------

/** Drop what is too much, at one end. */
export function trim(side, most = MOST_SHOWN) {
  const shown = shownMessages();
  if (shown.length <= Math.max(most, MOST_SHOWN)) return;
  if (side === "older") dropAbove(shown.at(-most));
  else dropBelow(shown[most - 1]);
}

export const trimBehindReader = () => trim("older", KEPT_AT_END);

function dropAbove(first) {
  const day = first.previousElementSibling;
  const kept = day?.matches(".dx-day") ? day : first;
  keepPlace(() => {
    while (kept.previousElementSibling) drop(kept.previousElementSibling);
    leadOn("older", "before", first.dataset.id);
  });
}

function dropBelow(last) {
  keepPlace(() => {
    // What waits to be sent stays, wherever it stands.
    while (last.nextElementSibling && !("pending" in last.nextElementSibling.dataset)) drop(last.nextElementSibling);
    leadOn("newer", "after", last.dataset.id);
  });
  noteEnd();
}

function drop(node) {
  const hadFocus = node.contains(document.activeElement);
  node.remove();
  if (hadFocus) log().focus({ preventScroll: true });
}

/** The link asks from the message that stands at the edge now. */
function leadOn(side, name, id) {
  const link = document.getElementById(side);
  const url = new URL(log().dataset.url, location.href);
  url.searchParams.set(name, id);
  link.dataset.url = url;
  link.href = `?${new URLSearchParams({ [name]: id })}`;
  delete link.dataset.isAsked;
  link.hidden = false;
}
