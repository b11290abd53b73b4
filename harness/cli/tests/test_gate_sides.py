"""What `bench gate` says and exits with when there is nothing it could measure."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from gate_testing import PYPROJECT, commit, repository, tiny_project, write


@pytest.fixture
def tiny(bench):
    tiny_project(bench.folder)
    return bench


def refused(bench, *words: str) -> tuple[int, str]:
    done = bench("gate", "sleep0", *words)
    *_, line = done.stderr.splitlines()
    assert line.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not [*bench.folder.glob(".bench/gates/*/*")]  # nothing that could be resumed
    return done.returncode, line


def test_a_side_that_does_not_build(tiny) -> None:
    commit(tiny.folder, {"tinyloop/__init__.py": "does not compile"})
    code, line = refused(tiny, "--base", "main")
    assert (code, "head (working tree) does not build: tinyloop.cpp:7" in line) == (8, True)
    assert "build.log" in line
    code, line = refused(tiny, "--base", "work", "--head", "main")
    assert (code, "base (work (" in line, "does not build" in line) == (8, True, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--base", "mian"], "Did you mean 'main'"),
        (["--head", "gone.whl"], "there is no such wheel"),
        (["--head", "tinyloop"], "is a folder, and no virtual environment"),
    ],
)
def test_names_that_are_wrong(tiny, words: list[str], says: str) -> None:
    code, line = refused(tiny, *words)
    assert (code, says in line) == (2, True), line


def test_a_loop_that_a_side_does_not_have(tiny) -> None:
    code, line = refused(tiny, "--loop", "epol")
    assert (code, "base (merge base with main (" in line) == (8, True)
    assert "no loop is called 'epol'; did you mean epoll?" in line
    assert "by hand" not in line


def test_settings_that_cannot_be_meant(tiny) -> None:
    write(tiny.folder, {"pyproject.toml": PYPROJECT + "[tool.loopgauge.gate]\nmargn = 0.1\n"})
    code, line = refused(tiny)
    assert (code, "pyproject.toml, [tool.loopgauge.gate]: there is no key 'margn'" in line) == (
        2,
        True,
    )


def test_outside_of_a_repository(bench) -> None:
    code, line = refused(bench)
    assert (code, "is in no git repository" in line) == (2, True)


def test_no_benchmark_in_common(bench) -> None:
    repository(bench.folder)
    commit(bench.folder, {"app.py": "async def old(): pass\n", ".gitignore": ".bench\n"})
    commit(bench.folder, {"app.py": "async def new(): pass\n"})
    done = bench("gate", "app:old", "app:new", "--base", "main~1", "--head", "main")
    assert done.returncode == 4, done.stderr
    assert "app:new" in done.stdout
    assert "app:old" in done.stdout
    done = bench("gate", "app:absent", "--base", "main~1", "--head", "main")
    assert done.returncode == 4, done.stderr
    assert "app:absent" in done.stderr


def test_a_build_that_is_terminated_leaves_no_process(tiny) -> None:
    os.mkfifo(tiny.folder / "pipe")
    build = "build = 'echo $$ > {source}/../../../../pipe; exec sleep 600'"
    settings = f'[tool.loopgauge.gate]\nloop = "tiny"\n{build}\n'
    write(tiny.folder, {"pyproject.toml": PYPROJECT + settings, ".gitignore": ".bench\npipe\n"})
    with tiny.started("gate", "sleep0", "--base", "main") as process:
        with (tiny.folder / "pipe").open() as pipe:  # until the build writes
            builder = int(pipe.read())
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 143
    with pytest.raises(ProcessLookupError):
        os.kill(builder, 0)
