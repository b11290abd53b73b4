"""One round of a gate in pytest, on a project of two tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from loopgauge.harness.errors import WorkerUnusable
from loopgauge.harness.gate.model import Side
from loopgauge.harness.gate.pytest_source import measure_round, search_path
from loopgauge.harness.store import read_run

TESTS = """
import asyncio
import os
import pytest
import bench_subject

@pytest.mark.loops("asyncio", "uvloop")
@pytest.mark.loop_benchmark(seconds=0.01)
def test_here(loop_benchmark):
    assert loop_benchmark(bench_subject.work) == os.environ["PYTHONHASHSEED"]

@pytest.mark.loop_benchmark(seconds=0.01)
def test_sometimes(loop_benchmark):
    loop_benchmark(bench_subject.work)
    if bench_subject.SIDE == "head":
        pytest.fail("broken on head")

def test_unmeasured():
    raise AssertionError("is not run")
"""
SUBJECT = """
import asyncio
import os

SIDE = {side!r}

async def work():
    await asyncio.sleep(0)
    return os.environ["PYTHONHASHSEED"]
"""


def side(folder: Path, name: str, loop: str = "epoll") -> Side:
    source = folder / name
    source.mkdir(exist_ok=True)
    (source / "bench_subject.py").write_text(SUBJECT.format(side=name), encoding="utf-8")
    return Side(
        name="head" if name == "head" else "base",
        origin="factory",
        given=name,
        loop=loop,
        executable=sys.executable,
        path=[str(source)],
    )


@pytest.fixture(autouse=True)
def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other plugins of this environment would only cost time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def tests(tmp_path: Path) -> str:
    path = tmp_path / "bench" / "test_bench.py"
    path.parent.mkdir()
    path.write_text(TESTS, encoding="utf-8")
    return str(path)


def test_each_side_measures_its_own(tests: str, tmp_path: Path) -> None:
    """One sample per benchmark that ran, on the side's loop alone, whatever a marker says."""
    arguments = [tests, "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    here, sometimes = (f"pytest:bench/test_bench.py::test_{name}" for name in ("here", "sometimes"))
    out = tmp_path / "out" / "base.jsonl"
    base = measure_round(side(tmp_path, "base"), arguments, 3, out)
    failed: list[str] = []
    head = measure_round(
        side(tmp_path, "head"), arguments, 3, out.with_name("head.jsonl"), told=failed.append
    )
    (line,) = failed
    assert line.startswith("tests fail: ")
    assert line.endswith("bench/test_bench.py::test_sometimes")
    assert [(s.benchmark, s.arm, s.round, s.process) for s in base] == [
        (here, "base", 3, 7),
        (sometimes, "base", 3, 7),
    ]
    assert [(s.benchmark, s.arm, s.round, s.process) for s in head] == [(here, "head", 3, 8)]
    run = read_run(out)
    assert [arm.label for arm in run.header.arms] == ["epoll"]
    assert [benchmark.id for benchmark in run.header.benchmarks] == [here, sometimes]
    assert not (tmp_path / ".bench").exists()


def test_the_working_folder_does_not_take_the_place_of_a_side(
    tests: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = side(tmp_path, "base")
    side(tmp_path, "head")
    monkeypatch.chdir(tmp_path / "head")  # in which test_sometimes fails
    arguments = [tests, "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    samples = measure_round(base, arguments, 0, tmp_path / "out.jsonl")
    assert [sample.benchmark.rpartition("::")[2] for sample in samples] == [
        "test_here",
        "test_sometimes",
    ]
    monkeypatch.setenv("PYTHONPATH", "given")
    assert search_path(base) == f"{base.path[0]}:given"
    base.origin = "environment"
    assert search_path(base) == "given"


@pytest.mark.parametrize("ini", ["pythonpath = .", "addopts = --import-mode=importlib"])
def test_what_is_installed_comes_before_the_sources(
    ini: str, tests: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conftest.py beside the sources, or `pythonpath`, would make pytest import those."""
    installed, sources = side(tmp_path, "base"), side(tmp_path, "head")
    given = [installed.path[0], *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(given))
    installed.origin = "environment"
    source = Path(sources.path[0])
    (source / "conftest.py").touch()
    (source / "pytest.ini").write_text(f"[pytest]\n{ini}\n", encoding="utf-8")
    (source / "test_bench.py").write_text(TESTS, encoding="utf-8")
    arguments = [str(source / "test_bench.py"), "-p", "no:cacheprovider"]
    samples = measure_round(installed, arguments, 0, tmp_path / "out.jsonl")
    assert [sample.benchmark for sample in samples] == [
        f"pytest:test_bench.py::test_{name}" for name in ("here", "sometimes")
    ]


@pytest.mark.parametrize("argument", ["no_such_file.py", "tests.py::test_new", "tests.py -k=x"])
def test_a_side_without_the_tests_measures_nothing(tmp_path: Path, argument: str) -> None:
    """A benchmark that is new has no figure on base, and one that is gone none on head."""
    (tmp_path / "tests.py").write_text("def test_old(): pass\n", encoding="utf-8")
    file, *more = argument.split()
    words = [str(tmp_path / file), *more]
    assert measure_round(side(tmp_path, "base"), words, 0, tmp_path / "out.jsonl") == []


def test_what_does_not_get_as_far_as_the_tests_is_named(tmp_path: Path) -> None:
    wrong = ["no_such_file.py", str(tmp_path)]
    with pytest.raises(WorkerUnusable, match=r"pytest does not measure no_such_file.*on base"):
        measure_round(side(tmp_path, "base"), wrong, 0, tmp_path / "out.jsonl")
    missing = side(tmp_path, "base")
    missing.executable = str(tmp_path / "no-python")
    with pytest.raises(WorkerUnusable, match="no-python does not run"):
        measure_round(missing, [], 0, tmp_path / "out.jsonl")
