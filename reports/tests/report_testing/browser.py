"""Pages in a real browser: Debian's chromium, driven by Playwright, without a network.

Whatever a page does wrong while a test looks at it fails that test: an error on the console, an
exception nobody caught, a request for anything but its own files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DESK = (1400, 900)
PHONE = (390, 844)
A4 = (718, 1040)  # what a browser leaves of the paper for the page
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
GRAVE = ("serious", "critical")
#: For whatever a page does by itself: two cores, and everything else runs too.
PATIENCE_MS = 30_000


@contextmanager
def started() -> Iterator[Browser]:
    """Skips, with the reason, where Playwright or a browser is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=program,
            timeout=PATIENCE_MS,
            # Nothing of its own over the network, and no shared memory that containers lack.
            args=["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
        )
        yield Browser(chromium)
        chromium.close()


@dataclass(frozen=True)
class Browser:
    chromium: Any

    @contextmanager
    def tab(
        self,
        of: Path | str,
        size: tuple[int, int] = DESK,
        *,
        dark: bool = False,
        script: bool = True,
    ) -> Iterator[Any]:
        """A Playwright page that shows the file `of`; a text is an address as it is (with a hash).

        Every tab starts with an empty memory. Fails when it is left, by what the page did wrong.
        """
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            offline=True,
            accept_downloads=True,
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE_MS)
        faults = Faults()
        context.on("page", faults.watch)
        page = context.new_page()
        try:
            page.goto(of if isinstance(of, str) else of.as_uri())
            yield page
        finally:
            context.close()
        if faults.found:
            pytest.fail("\n".join(["the page did what it must not do:", *faults.found]))


@dataclass
class Faults:
    """What pages must not do."""

    found: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on("pageerror", lambda error: self.found.append(f"exception: {error}"))
        page.on("console", self._said)
        page.on("request", self._asked)
        page.on("requestfailed", lambda request: self.found.append(f"failed: {request.url[:200]}"))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{message.type} on the console: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            self.found.append(f"asked for {request.url[:200]}")


def axe(page: Any, within: str = "html", without: str = "") -> list[str]:
    """What axe-core calls serious or critical: the rule, how often, and the first place.

    `within` and `without` are selectors: of a large page a part is enough where the rest is the
    same again, because axe takes seconds for a thousand elements.
    """
    axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright")
    part: dict[str, Any] = {"include": [[within]]}
    if without:
        part["exclude"] = [[without]]
    # No preload: axe would fetch stylesheets, which files may not.
    only = {"resultTypes": ["violations"], "preload": False}
    results = axe_playwright.Axe().run(page, context=part, options=only).response
    return [
        f"{fault['id']} ({len(fault['nodes'])}): {fault['nodes'][0]['html'][:200]}"
        for fault in results["violations"]
        if fault["impact"] in GRAVE
    ]


def overflow(page: Any) -> int:
    """By how many pixels the page is wider than its window: more than none scrolls sideways."""
    width: int = page.evaluate(
        "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    )
    return width


def printed(page: Any) -> int:
    """The page printed on A4: how many sheets."""
    page.emulate_media(media="print")
    paper: bytes = page.pdf(format="A4", print_background=True)
    page.emulate_media(media="screen")
    return paper.count(b"/Type /Page\n")
