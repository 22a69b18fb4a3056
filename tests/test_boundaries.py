"""The shape of the house: what may know what. Imports are held by import-linter (make check)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES_OF_CHANNELS = re.compile(
    r"instagram|messenger|facebook|whatsapp|channels_meta", re.IGNORECASE
)


def sources(*folders: str, suffix: str) -> list[Path]:
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob(f"*{suffix}")
    )


@pytest.mark.parametrize("path", sources("inbox", suffix=".py"), ids=str)
def test_the_inbox_names_no_channel_in_code(path: Path) -> None:
    """Comments may give an example; code may not."""
    code = re.sub(r'""".*?"""|#.*', "", path.read_text(), flags=re.DOTALL)

    assert not [line for line in code.splitlines() if NAMES_OF_CHANNELS.search(line)]


@pytest.mark.parametrize(
    "path", sources("inbox", "channels_meta", "webhooks", suffix=".py"), ids=str
)
def test_nothing_is_imported_inside_a_function(path: Path) -> None:
    """It would break the plan; AppConfig.ready() is where an app plugs itself in."""
    if path.name == "apps.py":
        return
    indented = re.findall(
        r"^ +(?:from \S+ import|import \S+).*", path.read_text(), re.MULTILINE
    )
    in_types = re.findall(
        r"^if TYPE_CHECKING:\n((?: +.*\n|\n)+)", path.read_text(), re.MULTILINE
    )
    allowed = "".join(in_types)

    assert not [line for line in indented if line not in allowed]


def test_nobody_leaves_a_machine_path_behind() -> None:
    """The project runs wherever it is cloned."""
    homes = re.compile(r"/(?:home|root|Users|work)/[a-z]")
    texts = [
        path
        for path in ROOT.glob("**/*")
        if path.suffix in {".py", ".md", ".toml", ".html"}
    ]
    mine = [
        p
        for p in texts
        if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)
    ]

    assert not [str(path) for path in mine if homes.search(path.read_text())]
