"""Take the README's pictures of the running product: `make screenshots`.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CUSTOMER = "Salma El Idrissi"
START_SECONDS = 120


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
            take_inbox(signed_in(browser, url, login, "light"))
            take_sandbox(signed_in(browser, url, login, "dark"))
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


def signed_in(browser: Browser, url: str, login: dict[str, str], scheme: str) -> Page:
    page = browser.new_page(
        base_url=url,
        viewport={"width": 1440, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        timezone_id="Africa/Casablanca",
    )
    page.goto("/inbox/all/")
    page.fill("[name=username]", login["username"])
    page.fill("[name=password]", login["password"])
    page.press("[name=password]", "Enter")
    page.wait_for_selector(".dx-row")
    return page


def take_inbox(page: Page) -> None:
    page.locator(".dx-row", has_text=CUSTOMER).click()
    page.wait_for_selector("#composer")
    save(page, "inbox.png")


def take_sandbox(page: Page) -> None:
    page.goto("/sandbox/")
    page.get_by_text(CUSTOMER).first.click()
    page.fill("#phone-text", "Rue Allal Ben Abdellah 12, Casablanca 🙏")
    page.press("#phone-text", "Enter")
    page.wait_for_selector("#log .dx-log")
    save(page, "sandbox.png")


def save(page: Page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(1000)  # what fades in
    page.screenshot(path=HERE / name)


if __name__ == "__main__":
    main()
