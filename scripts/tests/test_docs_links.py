"""Links of the pages that are read in the repository itself lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/examples/backend/README.md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(#[^)\s]+)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_name_files_that_are_there(page):
    path = ROOT / page
    targets = [found[1] for found in LINK.finditer(path.read_text(encoding="utf-8"))]
    relative = [target for target in targets if "://" not in target]
    assert [target for target in relative if not (path.parent / target).exists()] == []


def test_the_pattern_itself():
    text = "[a](docs/a.md), [b](x.md#c) and [c](https://example.org/)"
    assert [found[1] for found in LINK.finditer(text)] == [
        "docs/a.md",
        "x.md",
        "https://example.org/",
    ]
