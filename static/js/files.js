// Files of the composer: picked, dropped or pasted; told at once if the channel will not take them.

const MEGABYTE = 1024 * 1024;

const form = () => document.getElementById("composer");
const input = () => document.getElementById("composer-input");
const shelf = () => document.getElementById("composer-files");
const rules = () => JSON.parse(form()?.dataset.files ?? "null");
// The browser's own list is what the form posts; this is where we read and write it.
const chosen = () => [...(input()?.files ?? [])];
// What each input held before the picker replaced it.
const kept = new WeakMap();

export const chosenFiles = chosen;

/** Put files into the form; those that the channel would refuse stay out, and it is said why. */
export function addFiles(files) {
  if (!input()) return;
  const allowed = rules();
  const all = chosen();
  const troubles = [];
  for (const file of files) {
    const trouble = all.length >= allowed.most ? allowed.many : troubleWith(file, allowed);
    if (trouble) troubles.push(trouble);
    else all.push(file);
  }
  keep(all);
  say(troubles);
}

export function clearFiles() {
  if (input()) keep([]);
}

function keep(files) {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  input().files = transfer.files;
  kept.set(input(), files);
  draw(files);
}

/** The sentence for a file that would be refused; "" if it looks well. The server looks inside. */
function troubleWith(file, allowed) {
  const told = (sentence) =>
    sentence.replace("{name}", () => file.name).replace("{size}", sizeWords(file.size));
  if (!file.size) return told(allowed.empty);
  const kind = kindOf(file.type, allowed.kinds);
  if (!kind) return told(allowed.none);
  if (!takes(kind, file.type)) return told(kind.wrong);
  return file.size > kind.max ? told(kind.large) : "";
}

/** As the server decides it: what is not taken as a picture may still go as a plain file. */
function kindOf(type, kinds) {
  const named = kinds[type.split("/")[0]];
  if (named && takes(named, type)) return named;
  if (kinds.file && takes(kinds.file, type)) return kinds.file;
  return named ?? kinds.file;
}

/** A browser that does not know a type leaves it to the server. */
const takes = (kind, type) => !type || !kind.types.length || kind.types.includes(type);

function sizeWords(size) {
  const { megabytes, kilobytes } = rules();
  if (size < MEGABYTE) return kilobytes.replace("{n}", String(Math.max(1, Math.ceil(size / 1024))));
  return megabytes.replace("{n}", String(Math.ceil((size * 10) / MEGABYTE) / 10));
}

function say(troubles) {
  const place = document.getElementById("composer-error");
  place.replaceChildren(
    ...troubles.map((trouble) => Object.assign(document.createElement("p"), { textContent: trouble })),
  );
}

// --- previews --------------------------------------------------------------------------------

function draw(files) {
  for (const picture of shelf().querySelectorAll("img")) URL.revokeObjectURL(picture.src);
  shelf().replaceChildren(...files.map(preview));
}

function preview(file, index) {
  const item = document.getElementById("tpl-file").content.firstElementChild.cloneNode(true);
  item.querySelector(".dx-attach-name").textContent = file.name;
  item.querySelector("small").textContent = `${sizeWords(file.size)} · ${rules().alone}`;
  if (file.type.startsWith("image/")) {
    const picture = document.createElement("img");
    picture.src = URL.createObjectURL(file);
    picture.alt = "";
    item.querySelector(".dx-attach-t").replaceChildren(picture);
  }
  const button = item.querySelector("button");
  button.setAttribute("aria-label", rules().remove.replace("{name}", () => file.name));
  button.addEventListener("click", () => {
    keep(chosen().filter((_, other) => other !== index));
    document.getElementById("composer-text").focus();
  });
  return item;
}

// --- wiring ----------------------------------------------------------------------------------

export function startFiles() {
  document.addEventListener("change", (event) => {
    if (event.target.id !== "composer-input") return;
    const added = [...event.target.files];
    // A new choice replaces the old one in the browser; here it adds to it.
    keep(kept.get(event.target) ?? []);
    addFiles(added);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || !input() || !form().contains(event.target)) return;
    event.preventDefault();
    addFiles(files);
  });
  document.addEventListener("dragover", (event) => {
    if (!input() || !isDropPlace(event)) return;
    event.preventDefault();
    form().classList.add("dx-comp-drop");
  });
  for (const name of ["dragleave", "drop", "dragend"]) {
    document.addEventListener(name, () => form()?.classList.remove("dx-comp-drop"));
  }
  document.addEventListener("drop", (event) => {
    if (!input() || !isDropPlace(event)) return;
    event.preventDefault();
    addFiles([...event.dataTransfer.files]);
  });
}

const isDropPlace = (event) =>
  event.target.closest?.("#main") && [...(event.dataTransfer?.types ?? [])].includes("Files");
