// Pictures of the thread, one at a time over the page. Without script each opens in a tab of its own.

import { loadNewer, loadOlder, log } from "./thread.js";

// How far one press looks: pictures may be years apart, and the next press goes on from there.
const MOST_PAGES = 5;

const box = () => document.getElementById("viewer");
const part = (name) => box().querySelector(`[data-viewer-${name}]`);
const pictures = () => [...(log()?.querySelectorAll("a[data-picture]") ?? [])];

let shown = null;
let opener = null;

function show(link) {
  shown = link;
  const image = part("image");
  const small = link.querySelector("img");
  box().querySelector(".dx-viewer-trouble").hidden = true;
  image.hidden = false;
  image.alt = small.alt;
  image.src = link.href;
  const message = link.closest("[data-id]");
  part("who").textContent = message.querySelector(".dx-sr")?.textContent.replace(/:\s*$/, "") ?? "";
  part("when").textContent = message.querySelector("time")?.title ?? "";
  part("open").href = link.href;
  const download = part("download");
  download.href = link.href;
  // Only what comes from here can be saved by name; the rest opens.
  download.hidden = new URL(link.href).origin !== location.origin;
  count();
}

function count() {
  const all = pictures();
  const at = all.indexOf(shown);
  const words = part("count");
  words.textContent = at < 0 ? "" : words.dataset.word.replace("{n}", at + 1).replace("{all}", all.length);
  for (const button of box().querySelectorAll("[data-viewer-step]")) {
    const by = Number(button.dataset.viewerStep);
    const more = document.getElementById(by < 0 ? "older" : "newer");
    button.disabled = at >= 0 && !all[at + by] && (!more || more.hidden);
  }
}

/** To the next one; at the edge of what the page holds, more of the thread is fetched. */
async function step(by) {
  let next = neighbour(by);
  for (let pages = 0; !next && pages < MOST_PAGES; pages += 1) {
    if (!(await (by < 0 ? loadOlder() : loadNewer()))) break;
    next = neighbour(by);
  }
  if (!box().open) return;
  if (next) show(next);
  else count();
}

function neighbour(by) {
  const all = pictures();
  const at = all.indexOf(shown);
  // It was dropped from the page on the way: what is left lies before it, or behind.
  if (at < 0) return by < 0 ? all.at(-1) : all[0];
  return all[at + by];
}

function pressKey(event) {
  const isRight = getComputedStyle(box()).direction === "rtl" ? -1 : 1;
  if (event.key === "ArrowRight") step(isRight);
  else if (event.key === "ArrowLeft") step(-isRight);
}

function close() {
  part("image").removeAttribute("src");
  (opener?.isConnected ? opener : log())?.focus();
  shown = opener = null;
}

export function startViewer() {
  document.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target.closest("#msgs a[data-picture]");
    if (!link) return;
    event.preventDefault();
    opener = link;
    show(link);
    box().showModal();
  });
  box().addEventListener("click", (event) => {
    const button = event.target.closest("[data-viewer-step]");
    if (button) step(Number(button.dataset.viewerStep));
    // Beside the picture is out of it.
    if (event.target.closest("[data-viewer-close]") || event.target.matches(".dx-viewer-stage")) box().close();
  });
  box().addEventListener("keydown", pressKey);
  box().addEventListener("close", close);
  part("image").addEventListener("error", () => {
    part("image").hidden = true;
    box().querySelector(".dx-viewer-trouble").hidden = false;
  });
}
