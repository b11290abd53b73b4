"""Makes the pictures of docs/reports.md, docs/images/*.webp, from the published result files.

    python scripts/screenshots.py                 # all of them, some minutes
    python scripts/screenshots.py report-phone    # these only

Needs Playwright and a chromium (`scripts/dev setup` has both). Window, theme and zoom are fixed and
nothing moves: the same pages make the same pictures, up to the fonts of the machine.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "reports" / "results"
IMAGES = ROOT / "docs" / "images"
RUN = RESULTS / "3.14-quick-field.jsonl.xz"
VERDICTS = RESULTS / "3.14-conformance.jsonl.xz"
GATE = RESULTS / "gate-slowed"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = (1400, 900), (390, 844)
ARGUMENTS = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


@dataclass(frozen=True)
class Shot:
    """What is seen of a page. `at`: an id to scroll to; the window then begins there."""

    page: str  # a key of PAGES
    path: str = ""  # below what that one makes, where it is a folder
    at: str = ""
    size: tuple[int, int] = DESK
    dark: bool = False


SHOTS = {
    "report": Shot("report"),
    "report-dark": Shot("report", dark=True),
    "report-phone": Shot("report", size=PHONE),
    "benchmark": Shot("report", at="r1-timer.wait_for"),
    "matrix": Shot("site", "conformance/index.html"),
    "case": Shot("site", "conformance/case/TIME-003.loop-time.html"),
    "gate": Shot("gate"),
    "site": Shot("site", "index.html"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"default: {', '.join(SHOTS)}")
    parser.add_argument("--out", type=Path, default=IMAGES, help="another folder")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SHOTS]
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if unknown:
        parser.error(f"no picture is called {', '.join(unknown)}")
    if program is None:
        parser.error("no chromium on this machine: apt-get install chromium")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        take(arguments.names or [*SHOTS], arguments.out, Path(folder), program)
    return 0


def take(names: Iterable[str], out: Path, folder: Path, program: str) -> None:
    from playwright.sync_api import sync_playwright

    pages: dict[str, Path] = {}
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        for name in names:
            shot = SHOTS[name]
            if shot.page not in pages:
                pages[shot.page] = PAGES[shot.page](folder)
            data = small(picture(chromium, shot, pages[shot.page] / shot.path))
            (out / f"{name}.webp").write_bytes(data)
            print(f"{name}.webp: {len(data):,} bytes")
        chromium.close()


def picture(chromium: Any, shot: Shot, page: Path) -> bytes:
    width, height = shot.size
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if shot.dark else "light",
        reduced_motion="reduce",
        offline=True,
    )
    context.set_default_timeout(120_000)
    try:
        tab = context.new_page()
        tab.goto(f"{page.as_uri()}#{shot.at}" if shot.at else page.as_uri())
        return bytes(tab.screenshot(animations="disabled"))
    finally:
        context.close()


def small(png: bytes) -> bytes:
    """The same picture in a third of the bytes, every colour kept: a mark of a few pixels has its
    own."""
    packed = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(packed, "WEBP", lossless=True, quality=100, method=6)
    return packed.getvalue()


def bench(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "loopgauge.harness.cli", *words], cwd=ROOT, check=True)


def report(folder: Path) -> Path:
    page = folder / "report.html"
    bench("report", RUN, VERDICTS, "--out", page)
    return page


def gate(folder: Path) -> Path:
    bench("report", GATE, "--out", folder / "gate.html")
    return folder / "gate.html"


def site(folder: Path) -> Path:
    bench("site", RUN, VERDICTS, "--out", folder / "site")
    return folder / "site"


PAGES: dict[str, Callable[[Path], Path]] = {
    "report": report,
    "gate": gate,
    "site": site,
}

if __name__ == "__main__":
    sys.exit(main())
