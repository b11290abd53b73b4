"""The documentation builds without a warning, is whole, and needs no network to be read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from loopgauge.harness.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
LOADS = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src")}


class Page(HTMLParser):
    """Ids, links, and what a browser fetches when it opens the page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        if tag == "a" and found.get("href"):
            self.links.append(found["href"] or "")
        for name, value in attrs:
            preconnects = tag == "link" and found.get("rel") in ("canonical", "next", "prev")
            if (tag, name) in LOADS and value and not preconnects:
                self.fetched.append(value)


@pytest.fixture(scope="module")
def site(documentation):
    """The built pages by their address."""
    found = documentation.rglob("*.html")
    return documentation, {path.relative_to(documentation).as_posix(): Page(path) for path in found}


def test_every_page_of_the_folder_and_every_command_is_there(site):
    _, pages = site
    wanted = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    wanted |= {f"commands/{name}.html" for name in COMMANDS}
    assert wanted <= pages.keys()
    navigation = pages["index.html"].links
    assert [page for page in sorted(wanted) if page not in navigation] == []


def test_links_and_anchors_lead_somewhere(site):
    folder, pages = site
    broken = []
    for address, page in pages.items():
        if address == "404.html":  # its links are of the server's root
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("javascript:"):
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            name = target.relative_to(folder.resolve()).as_posix() if target.exists() else ""
            if not name or (parts.fragment and parts.fragment not in pages[name].ids):
                broken.append(f"{address}: {link}")
    assert broken == []


def test_no_page_has_an_id_twice(site):
    _, pages = site
    twice = [
        f"{address}: {name}"
        for address, page in pages.items()
        for name in {name for name in page.ids if page.ids.count(name) > 1}
    ]
    assert twice == []


def test_nothing_is_fetched_from_a_network(site):
    folder, pages = site
    foreign = [
        f"{address}: {fetched}"
        for address, page in pages.items()
        for fetched in page.fetched
        if urlsplit(fetched).netloc
    ]
    assert foreign == []
    styles = [path.read_text(encoding="utf-8") for path in folder.rglob("*.css")]
    assert styles
    assert [url for text in styles for url in re.findall(r"url\(['\"]?(https?:[^)]+)", text)] == []


def test_search_works_from_a_disk(site):
    folder, pages = site
    index = (folder / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "call_soon_chain" in index
    assert any("iframe-worker" in script for script in pages["index.html"].fetched)


def test_what_is_built_into_pages_is_there(site):
    _, pages = site
    text = {address: page.path.read_text(encoding="utf-8") for address, page in pages.items()}
    assert [address for address, page in text.items() if "<!-- build:" in page] == []
    assert "SOON-001" in pages["rules.html"].ids
    assert "throughput.sleep0" in pages["scenarios.html"].ids
    assert "did not do its work: its time means nothing" in text["glossary.html"]
    assert text["method.html"].count("<math") >= 8
    assert "3.14-" in text["method.html"]
    assert "--resume" in text["commands/run.html"]
    assert "history-import-options" in pages["commands/history.html"].ids
