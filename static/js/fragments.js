// Asking the server for fragments, and for what a person did to be done.

import { showBanner } from "./banner.js";

/** Fetch as htmx would. A page whose session has ended says so. */
export async function ask(url, options = {}) {
  const headers = { "HX-Request": "true", ...options.headers };
  const response = await fetch(url, { credentials: "same-origin", ...options, headers });
  if (response.status === 401) showBanner("signed-out");
  return response;
}

export function post(url, fields = {}) {
  const body = new FormData();
  body.set("csrfmiddlewaretoken", csrfToken());
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  return ask(url, { method: "POST", body });
}

export function csrfToken() {
  return document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

/** A copy of a <template>'s only element. */
export function copy(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}
