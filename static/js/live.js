// The event stream: rows of the list that the page shows, numbers, and ids. What they mean for a
// page is the page's business.

const EVENTS = ["rows", "conversation", "thread", "counts", "channel", "presence", "notify", "reset"];
const FAILURES_BEFORE_PAUSE = 3;
const HIDDEN_LIMIT_MS = 5 * 60 * 1000;
const POLL_MS = 30 * 1000;
const MAX_WAIT_S = 30;
// The server says something every 20 s: a line that is silent for longer is dead.
const SILENCE_MS = 50 * 1000;

/**
 * Listen for as long as the page is seen; after that, on the one page that speaks for all, for
 * what is to be told outside it.
 * shown: the address of the list that the page shows, "" for one whose rows it asks for itself.
 * handlers: one per event, taking its data; `paused`, `resumed`, and `poll` while paused; `speaks`,
 * whether this page is that one; `missed`, where it cannot know what it was not told.
 * Returns what to call when it has become that page (`speak`), and when it shows another list (`turn`).
 */
export function listen(address, cursor, shown, handlers) {
  let source = null;
  let heardOf = "";
  // Nobody looks at the page. What it would show is asked for when somebody does.
  let isAsleep = false;
  let heardAsleep = "";
  let failures = 0;
  let retry = null;
  let polling = null;
  let hiddenSince = null;
  let silence = null;

  function open() {
    clearTimeout(retry);
    const from = isAsleep ? heardAsleep : cursor;
    const url = new URL(address, location.href);
    if (from) url.searchParams.set("since", from);
    heardOf = isAsleep ? "" : shown();
    if (heardOf) url.searchParams.set("list", heardOf);
    if (isAsleep) url.searchParams.set("ear", "1");
    source = new EventSource(url);
    source.onopen = () => {
      failures = 0;
      heard();
      clearInterval(polling);
      polling = null;
      handlers.resumed();
      // Without a cursor nobody knows what was missed: look at everything once.
      if (!from) take("reset", {});
    };
    source.onerror = fail;
    source.addEventListener("ping", heard);
    // Signed out, or not allowed any more: asking again would be refused.
    source.addEventListener("closed", () => {
      close();
      handlers.closed();
    });
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        heard();
        if (event.lastEventId && isAsleep) heardAsleep = event.lastEventId;
        else if (event.lastEventId) cursor = event.lastEventId;
        take(name, JSON.parse(event.data));
      });
    }
  }

  function take(name, data) {
    if (name === "reset") {
      heardAsleep = "";
      handlers.missed();
      if (isAsleep) handlers.recount();
      else handlers.reset(data);
    } else {
      handlers[name](data);
    }
  }

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(fail, SILENCE_MS);
  }

  // The browser's own reconnecting has no backoff, and stops at an error answer: ours does neither.
  function fail() {
    close();
    failures += 1;
    if (failures >= FAILURES_BEFORE_PAUSE && !polling && !isAsleep) {
      handlers.paused();
      polling = setInterval(handlers.poll, POLL_MS);
    }
    const seconds = Math.min(MAX_WAIT_S, 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
    retry = setTimeout(open, seconds * 1000);
  }

  function close() {
    source?.close();
    source = null;
    clearTimeout(retry);
    clearTimeout(silence);
  }

  function fallAsleep() {
    close();
    clearInterval(polling);
    polling = null;
    isAsleep = true;
    heardAsleep = cursor;
    speak();
  }

  function wake() {
    clearTimeout(hiddenSince);
    if (isAsleep) close();
    isAsleep = false;
    if (!source) open();
  }

  function speak() {
    if (isAsleep && !source && handlers.speaks()) open();
  }

  /** The stream sends rows of one list: another is another stream, from where this one was. */
  function turn() {
    if (isAsleep || !source || heardOf === shown()) return;
    close();
    open();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenSince = setTimeout(fallAsleep, HIDDEN_LIMIT_MS);
    else wake();
  });
  addEventListener("online", () => {
    if (isAsleep) speak();
    else if (!source) open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && !source && open());
  open();
  return { speak, turn };
}
