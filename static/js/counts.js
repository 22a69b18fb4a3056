// How much each view holds: drawn from the numbers that the stream tells, or asked for.

import { ask, parse } from "./fragments.js";

const WARNING = ["closing", "failed"];

const root = document.getElementById("inbox");

/** counts: by view, as it is to be read; "" for none. */
export function drawCounts(counts) {
  for (const link of document.querySelectorAll(".dx-view[data-view]")) {
    const count = counts[link.dataset.view] ?? "";
    link.querySelector(".dx-count").textContent = count;
    link.classList.toggle("dx-view-warn", Boolean(count) && WARNING.includes(link.dataset.view));
  }
  for (const place of document.querySelectorAll("[data-count]")) {
    const count = counts[place.dataset.count] ?? "";
    place.hidden = !count;
    place.firstElementChild.textContent = count;
  }
  document.getElementById("views").dataset.unread = counts["mine:unread"];
  document.dispatchEvent(new Event("dexra:counts"));
}

/** After a break, when nobody knows what was missed. */
export async function askCounts() {
  const list = document.getElementById("list-body");
  const response = await ask(root.dataset.countsUrl + list.dataset.parameters).catch(() => null);
  if (!response?.ok) return;
  const box = document.createElement("div");
  box.append(...parse(await response.text()).querySelectorAll("[hx-swap-oob]"));
  const target = document.getElementById("say");
  window.htmx.swap(target, box.innerHTML, { swapStyle: "none" }, { eventInfo: { target } });
}
