"""What tells two builds of one version apart."""

from __future__ import annotations

from pathlib import Path

import loopgauge.loops
from loopgauge.harness import interpreter


def test_the_hash_changes_with_the_python_half_of_the_built_in_loop(tmp_path: Path, monkeypatch):
    before = interpreter.extensions_hash()
    loops = tmp_path / "loops"
    (loops / "epoll").mkdir(parents=True)
    for source in (Path(loopgauge.loops.__path__[0]) / "epoll").glob("*.py"):
        (loops / "epoll" / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(loopgauge.loops, "__path__", [str(loops)])
    assert interpreter.extensions_hash() == before
    with (loops / "epoll" / "streams.py").open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    assert interpreter.extensions_hash() not in (before, interpreter.NO_EXTENSIONS)
