// Files of the composer: picked, dropped or pasted; told at once if the channel will not take them,
// handed to the server ahead of the reply.

import { parse, post, csrfToken } from "./fragments.js";
import { showBanner } from "./banner.js";

const MEGABYTE = 1024 * 1024;

const form = () => document.getElementById("composer");
const input = () => document.getElementById("composer-input");
const shelf = () => document.getElementById("composer-files");
const rules = () => JSON.parse(form()?.dataset.files ?? "null");
// The upload of each item that is not on the server yet; resolves to whether it is.
const uploads = new WeakMap();

/** The items that wait, in order. */
export const chosenFiles = () => [...(shelf()?.children ?? [])];

export const fileNames = (items) => items.map((item) => item.querySelector(".dx-attach-name").textContent);

/** Take them out of the composer: they go with a reply. */
export function takeFiles() {
  const items = chosenFiles();
  shelf()?.replaceChildren();
  return items;
}

export function giveFilesBack(items) {
  shelf()?.append(...items);
}

/** Wait until all are on the server. Returns their ids, or null if one is not. */
export async function settleFiles(items) {
  const done = await Promise.all(items.map((item) => uploads.get(item) ?? true));
  return done.every(Boolean) ? items.map((item) => item.querySelector("[name=upload]").value) : null;
}

/** Why an item cannot be sent; "" while all is well with it. */
export const troubleOf = (items) => items.map((item) => item.dataset.trouble ?? "").find(Boolean) ?? "";

/** Put files into the composer; those that the channel would refuse stay out, and it is said why. */
export function addFiles(files) {
  if (!input()) return;
  const allowed = rules();
  const troubles = [];
  for (const file of files) {
    const isFull = chosenFiles().length >= allowed.most;
    const trouble = isFull ? allowed.many : troubleWith(file, allowed);
    if (trouble) troubles.push(trouble);
    else add(file);
  }
  say(troubles);
}

function add(file) {
  const item = preview(file);
  shelf().append(item);
  item.querySelector("[data-again]").addEventListener("click", () => start(item, file));
  start(item, file);
}

// --- handing over ----------------------------------------------------------------------------

function start(item, file) {
  delete item.dataset.trouble;
  item.classList.remove("dx-attach-bad");
  item.querySelector("[data-again]").hidden = true;
  const bar = item.querySelector("progress");
  bar.hidden = false;
  bar.removeAttribute("value");
  uploads.set(
    item,
    send(form().dataset.uploadsUrl, file, (share) => (bar.value = share)).then((answer) => {
      bar.hidden = true;
      if (answer?.status === 201) return settle(item, answer.responseText);
      if (answer?.status === 401) showBanner("signed-out");
      return fail(item, answer);
    }),
  );
}

/** fetch tells nothing of how far it has come. Resolves to null where nobody answered. */
function send(url, file, progress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const data = new FormData();
    data.set("csrfmiddlewaretoken", csrfToken());
    data.set("file", file);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progress(event.loaded / event.total));
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", () => resolve(null));
    request.open("POST", url);
    request.setRequestHeader("HX-Request", "true");
    request.send(data);
  });
}

function settle(item, html) {
  const kept = parse(html).firstElementChild;
  item.append(kept.querySelector("[name=upload]"));
  item.dataset.removeUrl = kept.dataset.removeUrl;
  return true;
}

function fail(item, answer) {
  const isRefused = answer && [409, 413, 422].includes(answer.status);
  const told = isRefused ? parse(answer.responseText).textContent.trim() : "";
  item.dataset.trouble = told || rules().lost.replace("{name}", () => fileNames([item])[0]);
  item.classList.add("dx-attach-bad");
  item.querySelector("[data-again]").hidden = isRefused;
  say([item.dataset.trouble]);
  return false;
}

// --- checks ----------------------------------------------------------------------------------

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

export function say(troubles) {
  const place = document.getElementById("composer-error");
  place?.replaceChildren(
    ...troubles.map((trouble) => Object.assign(document.createElement("p"), { textContent: trouble })),
  );
}

// --- previews --------------------------------------------------------------------------------

function preview(file) {
  const item = document.getElementById("tpl-file").content.firstElementChild.cloneNode(true);
  item.querySelector(".dx-attach-name").textContent = file.name;
  item.querySelector("small").textContent = `${sizeWords(file.size)} · ${rules().alone}`;
  const shown = picture(file);
  if (shown) item.querySelector(".dx-attach-t").replaceChildren(shown);
  item.querySelector("[data-remove]").setAttribute("aria-label", rules().remove.replace("{name}", () => file.name));
  return item;
}

function picture(file) {
  const family = file.type.split("/")[0];
  if (!["image", "video", "audio"].includes(family)) return null;
  const element = document.createElement(family === "image" ? "img" : family);
  element.src = URL.createObjectURL(file);
  if (family === "image") element.alt = "";
  else element.setAttribute("aria-label", file.name);
  if (family === "audio") element.controls = true;
  return element;
}

function remove(item) {
  const shown = item.querySelector(".dx-attach-t > [src^='blob:']");
  if (shown) URL.revokeObjectURL(shown.src);
  item.remove();
  say([]);
  document.getElementById("composer-text")?.focus();
  // What is still under way is left to the sweeper if it arrives.
  if (item.dataset.removeUrl) post(item.dataset.removeUrl).catch(() => {});
}

// --- wiring ----------------------------------------------------------------------------------

export function startFiles() {
  document.addEventListener("change", (event) => {
    if (event.target.id !== "composer-input") return;
    const added = [...event.target.files];
    // From here on they are items of the shelf; the form itself posts none.
    event.target.value = "";
    addFiles(added);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#composer-files [data-remove]");
    if (!button) return;
    event.preventDefault();
    remove(button.closest(".dx-attach"));
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
