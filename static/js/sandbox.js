// The phone page: the chat stays at its end while it was there; what was sent leaves the field.
const END = 40;

let follows = true;
let kept = 0;

function chat() {
  return document.getElementById("phone-messages");
}

function isAtEnd(box) {
  return box.scrollHeight - box.scrollTop - box.clientHeight < END;
}

function goToEnd() {
  const box = chat();
  if (box) box.scrollTop = box.scrollHeight;
}

// What somebody has unfolded stays so, whatever is drawn anew around it.
let unfolded = [];

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (event.detail.target.id === "trouble") {
    unfolded = [...document.querySelectorAll("#trouble details[open]")].map((one) => one.id);
  }
  const box = chat();
  if (event.detail.target !== box) return;
  follows = isAtEnd(box);
  kept = box.scrollTop;
});

document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (event.detail.target.id === "trouble") {
    for (const id of unfolded) {
      const details = document.getElementById(id);
      if (details && !details.hidden) details.open = true;
    }
  }
  if (event.detail.target.id !== "phone-messages") return;
  if (follows) goToEnd();
  else chat().scrollTop = kept;
});

// Pictures grow the chat after it was drawn.
document.addEventListener(
  "load",
  (event) => {
    if (follows && chat()?.contains(event.target)) goToEnd();
  },
  true,
);

document.addEventListener("htmx:afterRequest", (event) => {
  const { elt, successful } = event.detail;
  if (!successful || !elt.matches("[data-takes-text]")) return;
  follows = true;
  goToEnd();
  const field = document.getElementById("phone-text");
  field.value = "";
  if (elt.id === "phone-write") field.focus();
});

// What opens below the fold comes into view, and its field is ready to be filled.
document.addEventListener(
  "toggle",
  (event) => {
    const { target } = event;
    if (!target.open || !target.matches(".dx-sbx-side details")) return;
    if (unfolded.includes(target.id)) return;
    target.scrollIntoView({ block: "nearest" });
    target.querySelector("input:not([type=hidden])")?.focus();
  },
  true,
);

goToEnd();
