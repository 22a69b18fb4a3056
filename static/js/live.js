// The event stream: ids and revisions only. What they mean for a page is the page's business.

const EVENTS = ["conversation", "thread", "counts", "channel", "presence", "reset"];
const FAILURES_BEFORE_PAUSE = 3;
const HIDDEN_LIMIT_MS = 5 * 60 * 1000;
const POLL_MS = 30 * 1000;
const MAX_WAIT_S = 30;
// The server says something every 20 s: a line that is silent for longer is dead.
const SILENCE_MS = 50 * 1000;

/**
 * Listen for as long as the page is seen.
 * handlers: one per event, taking its data; `paused`, `resumed`, and `poll` while paused.
 */
export function listen(address, cursor, handlers) {
  let source = null;
  let failures = 0;
  let retry = null;
  let polling = null;
  let hiddenSince = null;
  let silence = null;

  function open() {
    clearTimeout(retry);
    const from = cursor;
    source = new EventSource(from ? `${address}?since=${encodeURIComponent(from)}` : address);
    source.onopen = () => {
      failures = 0;
      heard();
      clearInterval(polling);
      polling = null;
      handlers.resumed();
      // Without a cursor nobody knows what was missed: look at everything once.
      if (!from) handlers.reset({});
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
        if (event.lastEventId) cursor = event.lastEventId;
        handlers[name](JSON.parse(event.data));
      });
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
    if (failures >= FAILURES_BEFORE_PAUSE && !polling) {
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

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenSince = setTimeout(close, HIDDEN_LIMIT_MS);
    } else {
      clearTimeout(hiddenSince);
      if (!source) open();
    }
  });
  addEventListener("online", () => source || open());
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && !source && open());
  open();
}
