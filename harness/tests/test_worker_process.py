"""The worker as a program: its messages, its exit status, and how it dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# What the jobs and loops of these tests do; imported by the worker from a directory of the plan.
TROUBLE = """
    import asyncio, os, signal, sys, threading

    async def work():
        await asyncio.sleep(0)

    def plain():
        pass

    async def say():
        print("words on standard output")

    async def die():
        os.kill(os.getpid(), signal.SIGKILL)

    async def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)

    async def spin_for_ever():
        from loopgauge._bench import spin
        spin(1 << 62)

    async def check_descriptors():
        for fd in map(int, os.listdir("/proc/self/fd")):
            try:
                assert fd <= 2 or not os.get_inheritable(fd), fd
            except OSError:
                pass  # the descriptor of the listing is gone

    def hang():
        threading.Event().wait()

    def nothing():
        return None

    class Patching(asyncio.SelectorEventLoop):
        def __init__(self):
            super().__init__()
            asyncio.tasks.wait_for = None

    class Leaking(asyncio.SelectorEventLoop):
        def close(self):
            super().close()
            os.eventfd(0)

    class Busy(asyncio.SelectorEventLoop):
        def __init__(self):
            super().__init__()
            self.stopped = False
            self.thread = threading.Thread(target=self.burn)
            self.thread.start()

        def burn(self):
            while not self.stopped:
                pass

        def close(self):
            self.stopped = True
            self.thread.join()
            super().close()
"""


@dataclass
class Answer:
    status: int
    messages: list[dict[str, Any]]
    stdout: str
    stderr: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["t"] == kind]

    @property
    def last_begin(self) -> tuple[str, str, str]:
        begin = self.of("begin")[-1]
        return begin["benchmark"], begin["arm"], begin["phase"]


Ask = Callable[..., Answer]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs a worker to its end. A plan is completed with what every plan has."""
    (tmp_path / "trouble.py").write_text(textwrap.dedent(TROUBLE))

    def run(plan: Mapping[str, Any] | bytes, **environment: str) -> Answer:
        text = plan if isinstance(plan, bytes) else json.dumps(complete(plan, tmp_path)).encode()
        plan_read, plan_write = os.pipe()
        results_read, results_write = os.pipe()
        with subprocess.Popen(
            worker_command(plan_read, results_write),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(plan_read, results_write),
            cwd=tmp_path,
            env={**os.environ, **environment},
        ) as process:
            os.close(plan_read)
            os.close(results_write)
            with os.fdopen(plan_write, "wb") as sink:
                sink.write(text)
            with os.fdopen(results_read, encoding="utf-8") as results:
                lines = results.readlines()
            stdout, stderr = process.communicate()
        messages = [json.loads(line) for line in lines]
        return Answer(process.returncode, messages, stdout.decode(), stderr.decode())

    return run


def worker_command(plan: int, results: int) -> list[str]:
    options = ["--plan-fd", str(plan), "--results-fd", str(results)]
    return [sys.executable, "-P", "-m", "loopgauge.harness.worker", *options]


def complete(plan: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    envelope = {"schema": 1, "process": 3, "seed": 1, "design": "hybrid", "path": [str(directory)]}
    return {**envelope, "arms": [arm("asyncio")], "jobs": [], **plan}


def arm(label: str, factory: str = "asyncio:SelectorEventLoop") -> dict[str, Any]:
    return {"arm": label, "factory": factory}


def job(coroutine: str, *blocks: list[str], **more: Any) -> dict[str, Any]:
    name = f"app:trouble:{coroutine}"
    defaults = {"min_time": 0.0005, "blocks": blocks or [["asyncio"]]}
    return {"benchmark": name, "scenario": name, **defaults, **more}


def test_a_plan_is_done_and_reported_step_by_step(ask: Ask) -> None:
    pytest.importorskip("uvloop")
    arms = [arm("uvloop", "uvloop:new_event_loop"), arm("asyncio"), arm("asyncio~aa")]
    block = ["asyncio", "asyncio~aa", "uvloop"]
    answer = ask({"arms": arms, "jobs": [job("work", block, block[::-1])]})
    assert answer.status == 0
    assert (answer.stdout, answer.stderr) == ("", "")
    [hello] = answer.of("hello")
    assert hello == answer.messages[0]
    assert (hello["process"], hello["gc"]) == (3, "freeze")
    assert hello["python"] == ".".join(map(str, sys.version_info[:3]))
    made = [(message["arm"], message["ok"]) for message in answer.of("loop")]
    assert made == [("uvloop", True), ("asyncio", True), ("asyncio~aa", True)]
    slots = [message["arm"] for message in answer.of("begin") if message["phase"] == "slot"]
    assert slots == [*block, *block[::-1]]
    counts = {message["arm"]: message["n"] for message in answer.of("calibrated")}
    for samples in answer.of("samples"):
        assert samples["n"] == [counts[samples["arm"]]] * 2
        assert samples["block"] == [0, 1]
    assert [message["t"] for message in answer.messages[-2:]] == ["begin", "bye"]
    assert answer.of("status") == []
    assert answer.of("poison") == []


def test_a_scenario_of_the_catalogue_runs(ask: Ask) -> None:
    sleep = {"benchmark": "s", "scenario": "throughput.sleep0", "min_time": 0.0005}
    answer = ask({"jobs": [{**sleep, "blocks": [["asyncio"]]}]})
    assert (answer.status, answer.of("status")) == (0, [])
    assert len(answer.of("samples")) == 1


def test_the_probe_reports_calibration_and_one_slot(ask: Ask) -> None:
    answer = ask({"design": "probe", "jobs": [{**job("work"), "blocks": []}]})
    [calibrated], [samples] = answer.of("calibrated"), answer.of("samples")
    assert samples["n"] == [calibrated["n"]]


@pytest.mark.parametrize("policy", ["off", "default"])
def test_the_policy_of_the_garbage_collector_is_told(ask: Ask, policy: str) -> None:
    answer = ask({"gc": policy, "jobs": [job("work")]})
    assert answer.of("hello")[0]["gc"] == policy
    assert len(answer.of("samples")) == 1
    assert answer.of("poison") == []


def test_what_is_printed_is_no_result(ask: Ask) -> None:
    answer = ask({"jobs": [job("say", iterations={"asyncio": 1}, warmup=0)]})
    assert answer.stdout == "words on standard output\n"
    assert answer.of("bye")


def test_children_do_not_inherit_the_pipe(ask: Ask) -> None:
    answer = ask({"jobs": [job("check_descriptors", iterations={"asyncio": 1}, warmup=0)]})
    assert [message["reason"] for message in answer.of("status")] == []
    assert len(answer.of("samples")) == 1


@pytest.mark.parametrize(
    ("coroutine", "reason"),
    [("plain", "no coroutine function"), ("missing", "missing"), ("missing.deeper", "missing")],
)
def test_an_application_that_cannot_be_used_is_an_error(
    ask: Ask, coroutine: str, reason: str
) -> None:
    answer = ask({"jobs": [job(coroutine), job("work")]})
    [status] = answer.of("status")
    assert (status["status"], status["arm"]) == ("error", "asyncio")
    assert reason in status["reason"]
    assert len(answer.of("samples")) == 1
    assert answer.status == 0


@pytest.mark.parametrize(
    ("factory", "error"),
    [
        ("trouble:absent", "absent"),
        ("no_such_module:loop", "no_such_module"),
        ("trouble:nothing", "returned a NoneType"),
        ("not a factory", "module:attribute"),
    ],
)
def test_a_loop_that_cannot_be_made_does_not_stop_the_others(
    ask: Ask, factory: str, error: str
) -> None:
    block = ["bad", "asyncio"]
    answer = ask({"arms": [arm("bad", factory), arm("asyncio")], "jobs": [job("work", block)]})
    [bad, good] = answer.of("loop")
    assert (bad["arm"], bad["ok"], good["ok"]) == ("bad", False, True)
    assert error in bad["error"]
    [samples] = answer.of("samples")
    assert (samples["arm"], samples["slot"]) == ("asyncio", [1])
    assert answer.status == 0


def test_a_crash_leaves_what_was_done_and_a_name(ask: Ask) -> None:
    answer = ask({"jobs": [job("work"), job("die")]})
    assert answer.status == -signal.SIGKILL
    assert [message["benchmark"] for message in answer.of("samples")] == ["app:trouble:work"]
    assert answer.last_begin == ("app:trouble:die", "asyncio", "calibrate")
    assert answer.of("bye") == []


def test_a_hanging_factory_is_ended_with_its_stack(ask: Ask) -> None:
    answer = ask({"arms": [arm("bad", "trouble:hang")], "hang_timeout": 0.2})
    assert answer.status == 1
    assert answer.last_begin == ("", "bad", "create")
    assert "Timeout (" in answer.stderr
    assert "in hang" in answer.stderr


def test_a_hanging_slot_that_holds_the_gil_is_ended_with_its_stack(ask: Ask) -> None:
    spin = job("spin_for_ever", iterations={"asyncio": 1}, warmup=0)
    answer = ask({"jobs": [job("work"), spin], "hang_timeout": 0.3})
    assert answer.status == 1
    assert answer.last_begin == ("app:trouble:spin_for_ever", "asyncio", "slot")
    assert "in spin_for_ever" in answer.stderr
    assert len(answer.of("samples")) == 1


def test_ctrl_c_ends_it_quietly(ask: Ask) -> None:
    answer = ask({"jobs": [job("interrupt", iterations={"asyncio": 1}, warmup=0)]})
    assert answer.status == 130
    assert (answer.stdout, answer.stderr) == ("", "")


@pytest.mark.parametrize(
    "plan", [b"", b"{}", b'{"schema": 99}', json.dumps({"schema": 1}).encode()]
)
def test_a_bad_plan_is_refused(ask: Ask, plan: bytes) -> None:
    answer = ask(plan)
    assert (answer.status, answer.messages) == (2, [])
    assert "plan" in answer.stderr


def test_a_bad_command_line_is_refused() -> None:
    for arguments in (["--help"], ["--plan-fd", "98", "--results-fd", "99"]):
        command = [sys.executable, "-P", "-m", "loopgauge.harness.worker", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 2
        assert "usage:" in result.stderr


def test_a_worker_whose_manager_is_gone_ends(tmp_path: Path) -> None:
    plan_read, plan_write = os.pipe()
    results_read, results_write = os.pipe()
    os.close(results_read)
    with os.fdopen(plan_write, "wb") as sink:
        sink.write(json.dumps(complete({}, tmp_path)).encode())
    result = subprocess.run(
        worker_command(plan_read, results_write),
        pass_fds=(plan_read, results_write),
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(plan_read)
    os.close(results_write)
    assert (result.returncode, result.stderr) == (4, "")


def test_the_shell_s_benchmark_settings_change_nothing(ask: Ask, tmp_path: Path) -> None:
    answer = ask(
        {"jobs": [job("work", iterations={"asyncio": 5})]},
        BENCHMARK_FILTER="nothing",
        BENCHMARK_OUT="out.json",
        BENCHMARK_REPETITIONS="7",
    )
    assert [samples["n"] for samples in answer.of("samples")] == [[5]]
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("design", ["probe", "hybrid"])
def test_a_loop_that_patches_asyncio_is_named(ask: Ask, design: str) -> None:
    arms = [arm("asyncio"), arm("bad", "trouble:Patching")]
    answer = ask({"arms": arms, "design": design})
    [poison] = answer.of("poison")
    assert poison["arm"] == "bad"
    assert any("asyncio.tasks.wait_for" in what for what in poison["what"])


def test_a_loop_whose_threads_burn_cpu_is_named(ask: Ask) -> None:
    arms = [arm("bad", "trouble:Busy")]
    answer = ask({"arms": arms, "design": "probe", "jobs": [{**job("work"), "blocks": []}]})
    [poison] = answer.of("poison")
    assert poison["arm"] == "bad"
    assert "helper threads" in poison["what"][0]
    assert answer.of("bye")


def test_what_a_closed_loop_leaves_behind_is_told(ask: Ask) -> None:
    answer = ask({"arms": [arm("bad", "trouble:Leaking")]})
    [leftover] = answer.of("leftover")
    assert leftover["arm"] == "bad"
    assert "eventfd" in leftover["what"][0]
    assert ask({}).of("leftover") == []
