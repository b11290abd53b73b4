from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from loopgauge.harness import environment, interpreter
from loopgauge.harness.model import Interpreter, Load


def files(root: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, ""),
        ({"intel_pstate/no_turbo": "0"}, "on"),
        ({"intel_pstate/no_turbo": "1"}, "off"),
        ({"cpufreq/boost": "1"}, "on"),
        ({"cpufreq/boost": "0"}, "off"),
    ],
)
def test_turbo(tmp_path: Path, content: dict[str, str], expected: str) -> None:
    assert environment.turbo(files(tmp_path, content)) == expected


def test_this_machine_has_facts() -> None:
    machine = environment.machine()
    assert machine.cpus_logical >= len(machine.cpus_allowed) >= 1
    assert machine.kernel
    assert machine.cpu_model
    assert machine.memory_bytes > 0


def test_steal_is_a_share_of_the_time_between() -> None:
    before = Load(steal_s=1.0, total_s=100.0)
    assert environment.steal_share(before, Load(steal_s=1.5, total_s=110.0)) == 0.05
    assert environment.steal_share(before, before) == 0.0


def test_workers_get_what_was_drawn_and_nothing_that_disturbs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BENCHMARK_FILTER", "x")
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("LANG", "C.UTF-8")
    made = environment.worker_environment(hash_seed=5, padding=100)
    assert "BENCHMARK_FILTER" not in made
    assert "PYTHONASYNCIODEBUG" not in made
    assert made["PYTHONHASHSEED"] == "5"
    assert len(made[environment.PADDING_VARIABLE]) == 100
    assert made["LANG"] == "C.UTF-8"


def test_this_interpreter_fits_the_model() -> None:
    facts = msgspec.convert(interpreter.describe(), Interpreter)
    assert facts.version.count(".") == 2
    assert facts.build_kind == interpreter.build_kind(interpreter.describe())


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ((), "plain"),
        (("optimized", "lto"), "pgo+lto"),
        (("optimized", "free_threaded"), "pgo+nogil"),
        (("debug",), "debug"),
    ],
)
def test_build_kinds(on: tuple[str, ...], expected: str) -> None:
    fields = ("optimized", "lto", "jit", "tail_call", "debug", "free_threaded")
    assert interpreter.build_kind({field: field in on for field in fields}) == expected
