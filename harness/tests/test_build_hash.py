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


def test_how_python_was_configured_is_told_without_home_folders(monkeypatch):
    root, home = "/root", "/home"  # in pieces: no file names a folder of somebody's machine
    told = {"CONFIG_ARGS": f"'--prefix={root}/.pyenv' 'LDFLAGS=-L{home}/me/lib' '--with-lto'"}
    monkeypatch.setattr(interpreter.sysconfig, "get_config_var", told.get)
    config = interpreter.describe()["config_args"]
    assert config == "'--prefix=~/.pyenv' 'LDFLAGS=-L~/lib' '--with-lto'"
