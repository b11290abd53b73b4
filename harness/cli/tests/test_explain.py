"""`bench explain`: what it prints, what it says when tools are missing, what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from rich.console import Console

from loopgauge.harness.cli import anatomy
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.cli.explain import exit_code
from loopgauge.harness.explained import Anatomy, Cost, Explanation
from loopgauge.harness.model import Benchmark, Interpreter, Metric

APP = "async def main():\n    pass\n"


def divided(**members: object) -> Anatomy:
    calls = Metric(
        benchmark="b", arm="epoll", metric="syscalls", unit="call/step", value=1.5,
        by_name={"read": 1.0, "write": 0.5},
    )  # fmt: skip
    members = {
        "wall_ns": 1500.0,
        "cpu_ns": 1000.0,
        "waiting_ns": 500.0,
        "parts_ns": {"kernel": 100.0, "loop": 300.0, "binding": 400.0, "Python": 200.0},
        "parts_instructions": {"loop": 3000.0, "binding": 4000.0, "Python": 2000.0},
        "metrics": {"syscalls": calls},
        "functions": [Cost(name="run", file="a.so", value=3000.0, share=1 / 3)],
        **members,
    }
    return Anatomy(arm="epoll", loop="epoll", python="3.14", **members)  # type: ignore[arg-type]


def absent(status: str = "unavailable") -> Anatomy:
    return Anatomy(arm="x", loop="x", python="3.14", status=status, missing=["not installed"])


def explanation(*loops: Anatomy, left_out: tuple[str, ...] = ()) -> Explanation:
    return Explanation(
        benchmark=Benchmark(id="throughput.sleep0", scenario="throughput.sleep0", summary="sleeps"),
        operation="step",
        command=[],
        python=Interpreter(executable="python", version="3.14.0"),
        created="",
        machine="",
        method="how it was divided",
        loops=[*loops],
        left_out=[*left_out],
    )


def printed(found: Explanation, width: int) -> str:
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    anatomy.print_explanation(found, console)
    return console.export_text()


def test_a_block_has_times_parts_calls_and_functions() -> None:
    text = printed(explanation(divided()), 120)
    assert "epoll  wall 1.50 µs, CPU 1.00 µs" in text
    assert "binding  400 ns" in text
    assert "40%" in text
    assert "waiting  500 ns  of the wall time" in text
    assert "system calls 1.5 (read 1, write 0.5)" in text
    assert "3,000  33.3%  run       a.so" in text
    assert "how it was divided" in text


def test_the_bar_shows_each_part_in_proportion() -> None:
    text = printed(explanation(divided()), 120)
    assert "k" * 6 + "l" * 18 + "b" * 24 + "P" * 12 in text


@pytest.mark.parametrize("width", [40, 60])
def test_a_narrow_terminal_is_not_overrun(width) -> None:
    lines = printed(explanation(divided(), absent()), width).splitlines()
    assert max(len(line) for line in lines) <= width


def test_a_loop_without_figures_has_its_reason() -> None:
    assert "x  unavailable  not installed" in printed(explanation(absent()), 80)


@pytest.mark.parametrize(
    ("loops", "left_out", "named", "code"),
    [
        ((divided(),), (), (), ExitCode.OK),
        ((divided(), absent()), (), (), ExitCode.OK),  # of our own choice
        ((divided(), absent()), (), ("x",), ExitCode.LEFT_OUT),
        ((divided(), absent("unsupported")), (), ("x",), ExitCode.OK),
        ((divided(),), ("no instructions",), (), ExitCode.LEFT_OUT),
        ((absent(),), (), (), ExitCode.NOTHING_MEASURED),
    ],
)
def test_exit_codes(loops, left_out, named, code) -> None:
    assert exit_code(explanation(*loops, left_out=left_out), named) == code


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("sleeep0",), "sleep0"),
        (("throughput",), "one is explained at a time"),
        (("sleep0", "--loop", "uvlop"), "uvloop"),
        (("gather", "--param", "n=1", "--param", "n=2"), "one value"),
        ((), "Missing argument"),
    ],
)
def test_bad_input_is_a_line_and_exit_code_2(bench, words, complaint) -> None:
    done = bench("explain", *words)
    assert done.returncode == ExitCode.USAGE
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_without_tools_the_rest_is_explained(bench, tmp_path) -> None:
    """Neither valgrind nor strace on the PATH: time, allocations, bytecodes remain."""
    (bench.folder / "app.py").write_text(APP)
    words = ("explain", "app:main", "--loop", "asyncio", "--json", "--report=page.html")
    done = bench(*words, PATH=str(tmp_path / "empty"))
    assert done.returncode == ExitCode.LEFT_OUT, done.stderr
    assert "no instructions: valgrind is not installed" in done.stderr
    assert "no system calls: strace is not installed" in done.stderr
    document = json.loads(done.stdout)
    [loop] = document["loops"]
    assert document["kind"] == "explanation"
    assert [*loop["parts_ns"]] == ["kernel", "user"]
    assert loop["metrics"]["allocations"]["value"] > 1
    assert any("run_until_complete" in cost["name"] for cost in loop["python_functions"])
    assert "<svg" in (bench.folder / "page.html").read_text()


def test_ctrl_c_leaves_neither_process_nor_file(bench, tmp_path) -> None:
    (bench.folder / "app.py").write_text(APP)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        bench.command("explain", "app:main", "--loop", "asyncio"),
        cwd=bench.folder,
        env=bench.environment(TMPDIR=str(scratch)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # A counting process has the folder of its results in its command line.
    while process.poll() is None and not counting(scratch):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert "Traceback" not in said
    assert not counting(scratch)
    assert [*scratch.iterdir()] == []


def counting(scratch: Path) -> list[str]:
    """Processes that write below the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended meanwhile
        if "loopgauge.harness.deterministic.under" in words and any(
            word.startswith(str(scratch)) for word in words
        ):
            found.append(entry.parent.name)
    return found
