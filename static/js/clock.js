// Deadlines count down with the server's words; when one passes, the server is asked again.

const TICK_MS = 30 * 1000;
const HOUR_MIN = 60;
const CLOSING_SOON_MIN = 4 * HOUR_MIN;

const words = JSON.parse(document.getElementById("inbox").dataset.spans);

/** As inbox/pages/clock.py writes it. */
function spanWords(minutes, isShort) {
  const hours = Math.floor(minutes / 60);
  const values = { d: Math.floor(hours / 24), h: hours % 24, m: minutes % 60 };
  let name = "minutes";
  if (values.d) name = isShort || !values.h ? "days" : "days-hours";
  else if (values.h) name = isShort && minutes >= CLOSING_SOON_MIN ? "hours" : "hours-minutes";
  if (name === "hours-minutes") values.m = String(values.m).padStart(2, "0");
  return words[name].replace(/\{(\w)\}/g, (_, key) => values[key]);
}

function tone(minutes) {
  if (minutes >= CLOSING_SOON_MIN) return "calm";
  return minutes >= HOUR_MIN ? "warn" : "bad";
}

export function startClock({ rowPassed, windowPassed }) {
  setInterval(() => {
    for (const element of document.querySelectorAll("[data-deadline]")) {
      const minutes = Math.floor((new Date(element.dataset.deadline) - Date.now()) / 60000);
      if ("isFull" in element.dataset) {
        if (minutes < 0) windowPassed();
        else element.textContent = spanWords(minutes, false);
      } else if (minutes < 0) {
        rowPassed(element.closest("[data-id]").dataset.id);
      } else if (!element.classList.contains("dx-chip-info")) {
        element.className = `dx-chip dx-chip-${tone(minutes)}`;
        element.lastElementChild.textContent = spanWords(minutes, true);
      }
    }
  }, TICK_MS);
}
