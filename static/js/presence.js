// Who else is here: the page says what its agent does, and shows what the others do.

import { ask, parse, post } from "./fragments.js";
import { openConversation } from "./thread.js";

const VIEWING_EVERY_MS = 20_000;
const WRITING_EVERY_MS = 5_000;
// Whoever has not typed for this long only looks.
const IDLE_MS = 10_000;

let here = null;
let writesUntil = 0;
let saidAt = 0;
let timer = null;

const place = () => document.getElementById("presence");
const isWriting = () => Date.now() < writesUntil;

async function say() {
  clearTimeout(timer);
  const spot = place();
  if (!spot || document.hidden) return;
  here = { id: openConversation(), url: spot.dataset.url };
  saidAt = Date.now();
  timer = setTimeout(say, isWriting() ? WRITING_EVERY_MS : VIEWING_EVERY_MS);
  const answer = await post(here.url, { state: isWriting() ? "writing" : "viewing" }).catch(() => null);
  show(answer, spot);
}

async function show(answer, spot) {
  if (answer?.ok && spot === place()) spot.replaceChildren(parse(await answer.text()));
}

/** Said even while the page goes: nobody is shown as being where they are not. */
function leave() {
  clearTimeout(timer);
  if (!here) return;
  const body = new FormData();
  body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "");
  body.set("state", "left");
  ask(here.url, { method: "POST", body, keepalive: true }).catch(() => null);
  here = null;
  writesUntil = 0;
}

function follow() {
  if (here && here.id !== openConversation()) leave();
  if (place()) say();
}

/** The stream says that somebody came, went, or began to write. */
export async function notePresence({ id }) {
  const spot = place();
  if (!spot || String(id) !== openConversation() || document.hidden) return;
  show(await ask(spot.dataset.url).catch(() => null), spot);
}

export function startPresence() {
  document.addEventListener("dexra:opened", follow);
  document.addEventListener("input", (event) => {
    if (event.target.id !== "composer-text" || event.target.form.dataset.mode === "note") return;
    const wasWriting = isWriting();
    writesUntil = event.target.value ? Date.now() + IDLE_MS : 0;
    if (!wasWriting || Date.now() - saidAt > WRITING_EVERY_MS) say();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : say()));
  addEventListener("pagehide", leave);
  say();
}
