"""What an agent feels: from a key to what it does, in a real browser before a full database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from bench.stage import percentile

STEPS = 25
# An agent reads before going on; what comes next is fetched meanwhile.
READING_MS = 900

# Milliseconds from a key until the page shows what it did, frame by frame.
FELT = """
async ([key, modifiers, shows]) => {
  const isShown = new Function(`return ${shows}`);
  const target = document.activeElement;
  const start = performance.now();
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...modifiers }));
  while (!isShown() && performance.now() - start < 5000) await new Promise(requestAnimationFrame);
  return performance.now() - start;
}
"""
OPENS_MENU = "document.querySelector('#menu:popover-open .dx-menu-item')"
SHOWS_REPLY = "document.querySelector('#msgs [data-pending]')"


def run(base: str, session_key: str) -> dict[str, float]:
    """p95 (ms) of going on to the next conversation, opening a menu, seeing one's reply; and the
    bytes that the first view takes."""
    with _page(base, session_key) as (page, sizes):
        page.goto(f"{base}/inbox/all/")
        page.wait_for_load_state("networkidle")
        first_view = sum(sizes)
        return {
            "next": percentile([_go_on(page) for _ in range(STEPS)], 0.95),
            "menu": percentile([_open_menu(page) for _ in range(STEPS)], 0.95),
            "reply": percentile([_reply(page, n) for n in range(STEPS)], 0.95),
            "first_view": first_view,
        }


@contextmanager
def _page(base: str, session_key: str) -> Iterator[tuple[Page, list[int]]]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit(
            "The agent's hands need a browser. Debian: apt install chromium"
        )
    flags = ["--no-sandbox", "--disable-gpu"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=flags)
        context = browser.new_context(bypass_csp=True)
        context.add_cookies([{"name": "sessionid", "value": session_key, "url": base}])
        page = context.new_page()
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        sizes: list[int] = []
        network.on(
            "Network.loadingFinished",
            lambda one: sizes.append(int(one["encodedDataLength"])),
        )
        yield page, sizes
        browser.close()


def _felt(page: Page, key: str, shows: str, **modifiers: bool) -> float:
    return float(page.evaluate(FELT, [key, modifiers, shows]))


def _go_on(page: Page) -> float:
    page.wait_for_timeout(READING_MS)
    before = page.locator("#main").get_attribute("data-conversation") or ""
    opened = "document.querySelector('#main[data-conversation] #msgs article')"
    other = f"document.getElementById('main').dataset.conversation !== '{before}'"
    return _felt(page, "j", f"{opened} && {other}")


def _open_menu(page: Page) -> float:
    page.locator("#thread-head h1").click()
    took = _felt(page, "a", OPENS_MENU)
    page.keyboard.press("Escape")
    return took


def _reply(page: Page, number: int) -> float:
    page.locator("#composer-text").fill(f"Answer {number}")
    took = _felt(page, "Enter", SHOWS_REPLY, ctrlKey=True)
    page.locator("#msgs [data-pending]").wait_for(state="detached")
    return took
