"""The pages keep their word: links lead somewhere, the first screen is one, and what it says is printed is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FIRST_SCREEN = 40
LINES_TO_PASTE = 10


def anchor(heading: str) -> str:
    """How a heading is linked to."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(page: Path) -> set[str]:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {anchor(line.lstrip("#")) for line in prose.splitlines() if line.startswith("#")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link within the project names a file that is there, and a heading in it."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        place, _, part = link.partition("#")
        target = (page.parent / place) if place else page
        if not target.exists() or (part and part not in headings(target)):
            broken.append(link)

    assert broken == []


def test_every_page_can_be_found() -> None:
    """The index by question names every page but the decisions, which have an index of their own kind."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}

    assert {page for page in pages if page not in index and not page.startswith("decisions/")} == set()


def test_the_first_screen_does_what_it_says(tmp_path: Path, home: Path) -> None:
    """Ten lines to paste; the first run prints what stands below them, the second prints no dot: nothing was computed."""
    del home  # its cache folder is where the results go
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code, printed = re.findall(r"^```(?:python|text)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[:2]
    edits = [code, code, code.replace("# one dot", "# a dot"), code.replace("1.0", "0.5")]
    said = [
        subprocess.run([sys.executable, "-"], input=edit, cwd=tmp_path, capture_output=True, text=True, check=True).stdout for edit in edits
    ]

    assert text[: text.index(printed)].count("\n") <= FIRST_SCREEN
    assert len([line for line in code.splitlines() if line]) == LINES_TO_PASTE
    assert [line.replace(".0", "").count(".") for line in said] == [80, 0, 0, 80]
    assert said[0] == printed
    assert said[1] == said[2] == printed.lstrip(".")
