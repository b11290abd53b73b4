"""The pictures of docs/reports.md: all there, all small, each made by the script."""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import screenshots  # noqa: E402
from PIL import Image  # noqa: E402

PAGE = """<!doctype html><meta name="color-scheme" content="light dark">
<style>@media (prefers-color-scheme: dark) { body { background: rgb(0, 0, 64) } }</style>
<p style="height: 5000px">top</p><div id="here" style="height: 3000px; background: rgb(255, 0, 0)">
"""


def test_the_page_shows_every_picture_and_no_other():
    shown = re.findall(
        r"\(images/([\w-]+)\.webp\)", (ROOT / "docs" / "reports.md").read_text("utf-8")
    )
    assert sorted(shown) == sorted(screenshots.SHOTS)
    assert {path.stem for path in screenshots.IMAGES.iterdir()} == {*screenshots.SHOTS}


@pytest.mark.parametrize("name", screenshots.SHOTS)
def test_a_picture_is_small_and_of_its_window(name):
    file = screenshots.IMAGES / f"{name}.webp"
    assert file.stat().st_size < 300_000
    assert Image.open(file).size == screenshots.SHOTS[name].size


def test_a_picture_shows_the_window_in_its_theme_where_its_link_leads(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next(filter(None, map(shutil.which, screenshots.BROWSERS)), None)
    if program is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    page = tmp_path / "page.html"
    page.write_text(PAGE, encoding="utf-8")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=screenshots.ARGUMENTS)

        def corner(shot: screenshots.Shot) -> tuple[tuple[int, int], object]:
            data = screenshots.small(screenshots.picture(chromium, shot, page))
            picture = Image.open(io.BytesIO(data))
            return picture.size, picture.convert("RGB").getpixel((picture.width - 40, 40))

        light = corner(screenshots.Shot("x", size=(300, 200)))
        dark = corner(screenshots.Shot("x", size=(200, 300), dark=True))
        below = corner(screenshots.Shot("x", at="here"))
        chromium.close()
    assert light == ((300, 200), (255, 255, 255))
    assert dark == ((200, 300), (0, 0, 64))
    assert below == (screenshots.DESK, (255, 0, 0))


def test_an_unknown_picture_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["screenshots.py", "reprot"])
    with pytest.raises(SystemExit, match="2"):
        screenshots.main()
    assert "no picture is called reprot" in capsys.readouterr().err
