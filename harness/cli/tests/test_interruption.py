"""Whatever ends a run, what was finished is kept and the run can go on."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

RUN = ("run", "sleep0", "--quick", "--loop", "asyncio")
ONE_PROCESS_DONE = "measuring 1/"
Process = subprocess.Popen[str]


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in run.read_text().splitlines()]
    return [line for line in lines if line["record"] == kind]


def workers_of(process: Process) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children() if child.is_running()]


def resume(bench: Bench, run: Path) -> None:
    before = run.read_bytes()
    done = bench("run", "--resume", str(run))
    assert done.returncode == 0, done.stderr
    assert run.read_bytes().startswith(before)
    assert len(records(run, "end")) == 1


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_keeps_what_is_finished(bench: Bench, number: int, code: int, word: str) -> None:
    with bench.started(*RUN, rounds=6) as process:
        bench.read_until(process.stderr, ONE_PROCESS_DONE)
        workers = workers_of(process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    (run,) = bench.runs()
    assert process.returncode == code
    assert f"{word}: what was finished is kept in .bench/runs/{run.name}" in err
    assert f"bench run --resume .bench/runs/{run.name}" in err
    assert "Traceback" not in err
    assert records(run, "sample")
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    resume(bench, run)


def test_an_interruption_before_the_first_sample_leaves_no_run(bench: Bench) -> None:
    with bench.started(*RUN) as process:
        bench.read_until(process.stderr, "trying each loop")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "nothing had been measured yet" in err
    assert bench.runs() == []


def test_killing_the_command_loses_no_finished_sample(bench: Bench) -> None:
    with bench.started(*RUN, rounds=6) as process:
        bench.read_until(process.stderr, ONE_PROCESS_DONE)
        workers = workers_of(process)
        process.kill()
        process.communicate(timeout=60)
    (run,) = bench.runs()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    resume(bench, run)


def test_killing_a_worker_loses_no_finished_sample(bench: Bench) -> None:
    with bench.started(*RUN, rounds=6) as process:
        bench.read_until(process.stderr, ONE_PROCESS_DONE)
        (run,) = bench.runs()
        before = records(run, "sample")
        victim = next_worker(process)
        victim.kill()
        _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 6), err
    assert records(run, "sample")[: len(before)] == before
    assert any("SIGKILL" in json.dumps(event) for event in records(run, "event"))


def next_worker(process: Process) -> psutil.Process:
    while process.poll() is None:
        for worker in workers_of(process):
            return worker
    raise AssertionError("the run was over before a worker could be killed")


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_disk_that_is_full_from_the_start(bench: Bench) -> None:
    done = bench(*RUN, "--out", "/dev/full")
    assert done.returncode == 8
    assert "cannot write /dev/full: the disk is full" in done.stderr
    assert "--out" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_up_keeps_what_is_there(bench: Bench) -> None:
    whole = bench(*RUN, "--out", "whole.jsonl", rounds=6)
    assert whole.returncode == 0
    size = (bench.folder / "whole.jsonl").stat().st_size
    command = bench.command(*RUN, "--out", "cut.jsonl", rounds=6)
    done = subprocess.run(
        command,
        cwd=bench.folder,
        env=bench.environment(),
        capture_output=True,
        text=True,
        preexec_fn=lambda: limit_files(size * 2 // 3),
    )
    assert done.returncode == 8
    assert "--resume" in done.stderr
    cut = bench.folder / "cut.jsonl"
    assert records(cut, "sample")
    resume(bench, cut)


def test_a_folder_that_cannot_be_made(bench: Bench) -> None:
    (bench.folder / "file").touch()
    done = bench(*RUN, "--out", "file/run.jsonl")
    assert done.returncode == 8
    assert "file/run.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_file_is_never_overwritten(bench: Bench) -> None:
    precious = bench.write("precious.jsonl", "precious")
    done = bench(*RUN, "--out", "precious.jsonl")
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert precious.read_text() == "precious"
