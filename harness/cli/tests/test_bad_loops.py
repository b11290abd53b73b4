"""Loops that do not work: each is named with its reason, and the others are measured."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

BROKEN = """
    import asyncio, os, signal, time

    def raises():
        raise RuntimeError("no licence found")

    def no_loop():
        return 42

    def hangs():
        while True:
            time.sleep(1)

    def dies():
        os.kill(os.getpid(), signal.SIGKILL)

    class Crasher(asyncio.SelectorEventLoop):
        def run_until_complete(self, future):
            os.kill(os.getpid(), signal.SIGSEGV)

    class Liar(asyncio.SelectorEventLoop):
        def run_until_complete(self, future):
            future.close()

    not_callable = 3
"""
KINDS = ("raises", "no_loop", "hangs", "dies", "Crasher", "Liar", "not_callable", "absent")


Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def done(bench_in: type[Bench], tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One run over all of them: a broken loop must not cost the others their figures."""
    bench = bench_in(tmp_path_factory.mktemp("broken"))
    bench.write("broken.py", BROKEN)
    loops = [word for kind in KINDS for word in ("--loop", f"broken:{kind}")]
    return bench("run", "sleep0", "--quick", "--json", "--loop", "asyncio", *loops)


def arms(done: Done) -> dict[str, Any]:
    (benchmark,) = json.loads(done.stdout)["benchmarks"]
    return {arm["arm"]: arm for arm in benchmark["arms"]}


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("raises", "unavailable", "RuntimeError: no licence found"),
        ("no_loop", "unavailable", "broken:no_loop returned an int"),
        ("not_callable", "unavailable", "is an int, which cannot be called"),
        ("absent", "unavailable", "has no attribute 'absent'"),
        ("hangs", "hung", "no sign of life"),
        ("dies", "crashed", "SIGKILL"),
        ("Crasher", "crashed", "SIGSEGV"),
        ("Liar", "invalid", ""),
    ],
)
def test_a_broken_loop_is_named_with_its_reason(
    done: Done, kind: str, status: str, reason: str
) -> None:
    arm = arms(done)[f"broken:{kind}"]
    assert arm["status"] == status
    assert reason in arm["reason"]
    assert f"broken:{kind}" in done.stderr


def test_the_sound_loop_is_measured_all_the_same(done: Done) -> None:
    asyncio = arms(done)["asyncio"]
    assert asyncio["status"] == "ok"
    assert asyncio["cost"] > 0


def test_something_that_was_asked_for_is_missing(done: Done) -> None:
    assert done.returncode == 6
    assert json.loads(done.stdout)["exit_code"] == 6
    for kind in KINDS:
        assert f"left out: broken:{kind}" in done.stderr


def test_nothing_that_was_asked_for_could_be_measured(bench: Bench) -> None:
    bench.write("broken.py", BROKEN)
    done = bench("run", "sleep0", "--quick", "--loop", "broken:raises")
    assert done.returncode == 4
    assert "no licence found" in done.stdout + done.stderr
