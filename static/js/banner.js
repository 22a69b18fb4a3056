// One banner at a time: a troubled channel (the server's) comes before what this page noticed.

const local = new Set();
const ORDER = ["signed-out", "offline", "paused", "notify"];

export function showBanner(name) {
  local.add(name);
  draw();
}

export function hideBanner(name) {
  if (local.delete(name)) draw();
}

/** The server's banner changed: take its new slot. */
export function replaceSlot(slot) {
  document.getElementById("banner").replaceWith(slot);
  draw();
}

function draw() {
  const slot = document.getElementById("banner");
  slot.querySelector("[data-local]")?.remove();
  const name = ORDER.find((one) => local.has(one));
  if (!name || slot.childElementCount) return;
  const banner = document.getElementById(`tpl-${name}`).content.firstElementChild.cloneNode(true);
  banner.dataset.local = name;
  slot.append(banner);
}
