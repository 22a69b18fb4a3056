"""Take the pictures of the running product, for the README and to look at: `make screenshots`.

Runs Dexra with a fresh demo in a folder of its own, on a free port, and looks at it with the system's Chromium.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CUSTOMER = "Salma El Idrissi"
START_SECONDS = 120
QUALITY = 82


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Screenshots need Chromium (Debian, Ubuntu: apt install chromium).")
    with tempfile.TemporaryDirectory(prefix="dexra-screenshots-") as folder:
        data = Path(folder)
        data.chmod(0o711)  # PostgreSQL runs as another user where we are root
        with running(data) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            login = json.loads((data / "demo.json").read_text())
            desk = Desk(browser, url, login)
            for name, take in PICTURES.items():
                take(desk, name)
            browser.close()


@contextmanager
def running(data: Path) -> Iterator[str]:
    """Dexra with its demo, until the block ends; its address."""
    port = free_port()
    names = ("DATABASE_URL", "REDIS_URL", "PUBLIC_URL", "SANDBOX")
    environment = {
        name: value for name, value in os.environ.items() if name not in names
    }
    process = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "up"],
        env=environment | {"DATA_DIR": str(data), "PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/readyz", process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until everything is there, the workers too."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
                if json.load(answer)["status"] == "ok":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit("Dexra did not start: try `make run`.")


class Desk:
    """Signed-in pages of the running product, one for each look."""

    def __init__(self, browser: Browser, url: str, login: dict[str, str]) -> None:
        self.browser, self.url, self.login = browser, url, login

    def open(self, path: str, **look: Any) -> Page:
        page = self.browser.new_page(
            base_url=self.url,
            **{
                "viewport": {"width": 1440, "height": 900},
                "color_scheme": "light",
                "reduced_motion": "reduce",
                "timezone_id": "Africa/Casablanca",
            }
            | look,
        )
        page.goto("/inbox/all/")
        page.fill("[name=username]", self.login["username"])
        page.fill("[name=password]", self.login["password"])
        page.press("[name=password]", "Enter")
        page.wait_for_selector(".dx-row")
        page.goto(path)
        return page

    def open_thread(self, who: str = CUSTOMER, mode: str = "", **look: Any) -> Page:
        page = self.open("/inbox/all/", **look)
        address = page.locator(".dx-row", has_text=who).get_attribute("href")
        page.goto(f"{address}{mode}")
        page.wait_for_selector("#composer")
        return page


def take_list_and_thread(desk: Desk, name: str) -> None:
    save(desk.open_thread(), name)


def take_dark(desk: Desk, name: str) -> None:
    save(desk.open_thread("Hajar Amrani", color_scheme="dark"), name)


def take_arabic(desk: Desk, name: str) -> None:
    save(desk.open_thread(locale="ar"), name)


def take_note(desk: Desk, name: str) -> None:
    page = desk.open_thread(mode="?mode=note")
    page.fill(
        "#composer textarea", "She asked for the other address, see her last message."
    )
    save(page, name)


def take_closed_window(desk: Desk, name: str) -> None:
    save(desk.open_thread("Karim Ouazzani"), name)


def take_commands(desk: Desk, name: str) -> None:
    page = desk.open_thread()
    page.locator("#thread-head h1").click()
    page.keyboard.press("Control+k")
    page.keyboard.type("as")
    save(page, name)


def take_snooze(desk: Desk, name: str) -> None:
    page = desk.open_thread()
    page.locator("#thread-head h1").click()
    page.keyboard.press("h")
    page.wait_for_selector("#menu .dx-menu-item")
    save(page, name)


def take_search(desk: Desk, name: str) -> None:
    save(desk.open("/inbox/all/?q=bag"), name)


def take_phone_list(desk: Desk, name: str) -> None:
    save(desk.open("/inbox/all/", **PHONE), name)


def take_phone_thread(desk: Desk, name: str) -> None:
    save(desk.open_thread(**PHONE), name)


def take_channels(desk: Desk, name: str) -> None:
    save(desk.open("/meta/connect/"), name)


def take_admin(desk: Desk, name: str) -> None:
    save(desk.open("/admin/inbox/conversation/"), name)


def take_sandbox(desk: Desk, name: str) -> None:
    page = desk.open("/sandbox/", color_scheme="dark")
    page.get_by_text(CUSTOMER).first.click()
    page.fill("#phone-text", "Rue Allal Ben Abdellah 12, Casablanca 🙏")
    page.press("#phone-text", "Enter")
    page.wait_for_selector("#log .dx-log")
    save(page, name)


PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 800},
    "has_touch": True,
    "device_scale_factor": 2,
}
PICTURES: dict[str, Callable[[Desk, str], None]] = {
    "inbox": take_list_and_thread,
    "dark": take_dark,
    "arabic": take_arabic,
    "note": take_note,
    "closed": take_closed_window,
    "commands": take_commands,
    "snooze": take_snooze,
    "search": take_search,
    "phone-list": take_phone_list,
    "phone-thread": take_phone_thread,
    "channels": take_channels,
    "admin": take_admin,
    # Last: what is played here shows everywhere else.
    "sandbox": take_sandbox,
}


def save(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(1000)  # what fades in
    picture = Image.open(BytesIO(page.screenshot()))
    picture.save(HERE / f"{name}.webp", quality=QUALITY, method=6)
    page.context.close()


if __name__ == "__main__":
    main()
