"""Names and values that make no sense: one line, the nearest names, and nothing is measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "slep0"], 2, ["'slep0'", "did you mean sleep0"]),
        (["run", "throughput.gahter"], 2, ["did you mean throughput.gather"]),
        (["run", "zzz_*"], 4, ["'zzz_*'", "nothing to measure", "bench list scenarios"]),
        (["run", "sleep0", "--loop", "uvlop"], 2, ["'uvlop'", "did you mean uvloop"]),
        (["run", "gather", "--param", "sise=3"], 2, ["'sise'", "Did you mean 'size'?"]),
        (["run", "gather", "--param", "size=many"], 2, ["throughput.gather", "size", "'many'"]),
        (["run", "gather", "--param", "size"], 2, ["KEY=VALUE"]),
        (["run", "throughput.gather[size=many]"], 2, ["size", "'many'"]),
        (["run", "sleep0", "--cpus", "1-x"], 2, ["0,2-3"]),
        (["run", "sleep0", "--cpus", "4096"], 2, ["this process may use"]),
        (["run", "no_such_app:main"], 2, ["no module 'no_such_app'", "PYTHONPATH"]),
        (["run", "bad-name:main"], 2, ["'bad-name:main'", "my_app:main"]),
        (["run", "sleep0", "--python", "2.4"], 8, ["'2.4'", "PATH"]),
        (["run", "--resume", "latest"], 7, ["'latest'", "bench run"]),
        (["run", "--resume", "x.jsonl", "--seed", "1"], 2, ["leave out --seed"]),
        (["run", "sleep0", "--resume", "x.jsonl"], 2, ["leave out WHAT"]),
        (["run", "--resume", "x.jsonl"], 7, ["x.jsonl", "No such file"]),
        (["report", "latest~3"], 7, ["'latest~3'"]),
        (["report", "x.jsonl"], 7, ["x.jsonl", "No such file"]),
        (["report", "x.jsonl", "--format", "csv", "--open"], 2, ["--format html"]),
        (["list", "lops"], 2, ["loops", "scenarios", "runs"]),
    ],
)
def test_a_wrong_word(bench: Bench, words: list[str], code: int, said: list[str]) -> None:
    done = (
        bench(*words, "--quick") if words[0] == "run" and "--resume" not in words else bench(*words)
    )
    assert done.returncode == code, done.stderr
    for part in said:
        assert part in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert bench.runs() == []


def test_the_error_is_one_line(bench: Bench) -> None:
    done = bench("run", "slep0")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_dry_run_measures_nothing_and_says_what_it_would(bench: Bench) -> None:
    done = bench("run", "gather", "--param", "size=7", "--param", "size=9", "--loop", "asyncio",
                 "--quick", "--dry-run")  # fmt: skip
    assert done.returncode == 0
    assert "throughput.gather[size=7]" in done.stdout
    assert "throughput.gather[size=9]" in done.stdout
    assert "asyncio" in done.stdout
    assert not (bench.folder / ".bench").exists()


def test_a_dry_run_tells_a_long_run_from_a_short_one(bench: Bench) -> None:
    def expected_s(*what: str) -> float:
        done = bench("run", *what, "--loop", "epoll", "--quick", "--dry-run", "--json")
        return float(json.loads(done.stdout)["expected_s"])

    assert expected_s() > expected_s("sleep0", "gather") > expected_s("sleep0")
