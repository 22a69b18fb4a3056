// Acts on one message: a reaction from the small choice, a quote, an answer to a comment.

import { openComposer } from "./compose.js";
import { copy } from "./fragments.js";
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

async function copyLink(link) {
  const isCopied = await write(link.href);
  if (!isCopied) history.replaceState(history.state, "", link.href);
  document.getElementById("toasts").append(copy(isCopied ? "tpl-copied" : "tpl-not-copied"));
}

/** Browsers give their clipboard to pages that came by https; others get the old way. */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeBySelection(text);
  }
}

function writeBySelection(text) {
  const held = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "dx-sr";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  held?.focus({ preventScroll: true });
  return isCopied;
}

/** A finger does not hover: a tap on a message shows what may be done with it. */
function touch(event) {
  if (!matchMedia("(hover: none)").matches || event.target.closest("a, button, summary, video, audio, .dx-acts")) return;
  const message = event.target.closest("#msgs .dx-msg, #msgs .dx-note");
  for (const one of document.querySelectorAll("#msgs [data-touched]")) if (one !== message) delete one.dataset.touched;
  message?.toggleAttribute("data-touched");
}

export function startActs() {
  document.addEventListener("click", touch);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-react]");
    if (button) showReactions(button);
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const address = event.target.closest("[data-copy-link]");
    if (address) {
      event.preventDefault();
      copyLink(address);
    }
    const link = event.target.closest("[data-quote], #msgs [data-about]");
    if (!link) return;
    event.preventDefault();
    openComposer(link.dataset.quote ? { mode: "reply", quote: link.dataset.quote } : link.dataset);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id === "reactions") menu().hidePopover();
  });
}
