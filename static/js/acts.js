// Acts on one message: a reaction from the small choice, a quote, an answer to a comment.

import { openComposer } from "./compose.js";
import { place } from "./popovers.js";

const menu = () => document.getElementById("reactions");

/** The one choice of reactions stands beside the message whose button was pressed. */
function showReactions(button) {
  const form = menu();
  form.action = button.dataset.react;
  for (const choice of form.querySelectorAll("button")) {
    const isMine = choice.dataset.emoji === button.dataset.mine;
    choice.setAttribute("aria-pressed", String(isMine));
    // Choosing the same again takes it back.
    choice.value = isMine ? "" : choice.dataset.emoji;
  }
  form.showPopover();
  place(form, button.getBoundingClientRect(), { above: true });
  form.querySelector("button").focus();
}

export function startActs() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-react]");
    if (button) showReactions(button);
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target.closest("[data-quote], #msgs [data-about]");
    if (!link) return;
    event.preventDefault();
    openComposer(link.dataset.quote ? { mode: "reply", quote: link.dataset.quote } : link.dataset);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id === "reactions") menu().hidePopover();
  });
}
