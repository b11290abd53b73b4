"""Where time goes: how it is divided, and what is said where it cannot be."""

from __future__ import annotations

from collections import Counter

import pytest

from loopgauge.harness.deterministic import anatomy
from loopgauge.harness.deterministic.anatomy import anatomy_of, part_of
from loopgauge.harness.deterministic.callgrind import Function, Profile
from loopgauge.harness.deterministic.counting import Findings
from loopgauge.harness.explained import PARTS
from loopgauge.harness.model import Arm, Event

UVLOOP = Arm(label="uvloop", loop="uvloop", factory="uvloop:new_event_loop", python="3.13")
FLOOR = Arm(label="floor", loop="floor", factory="x:Floor", role="floor", python="3.13")
PYTHON = "/usr/lib/libpython3.13.so.1.0"
EXTENSION = "/venv/lib/python3.13/site-packages/uvloop/loop.cpython-313-x86_64-linux-gnu.so"
BENCH = "/venv/loopgauge/_bench.cpython-313-x86_64-linux-gnu.so"
ASYNCIO = "/usr/lib/python3.13/asyncio/tasks.py:sleep"
SCENARIO = "/venv/lib/python3.13/site-packages/loopgauge/scenarios/throughput/tasks.py:main"


@pytest.mark.parametrize(
    ("file", "name", "part"),
    [
        (EXTENSION, "__pyx_f_run", "loop"),
        ("/venv/lib/python3.13/site-packages/uvloop.libs/libuv-1a2b.so.1", "uv_run", "loop"),
        (PYTHON, "_PyEval_EvalFrameDefault", "evaluation"),
        ("/usr/bin/python3.14", "_PyEval_EvalFrameDefault", "evaluation"),
        ("/usr/bin/python3.15", "_TAIL_CALL_LOAD_FAST.llvm", "evaluation"),
        (PYTHON, "_PyObject_Malloc", "binding"),
        ("/usr/lib/python3.13/lib-dynload/_asyncio.cpython-313.so", "task_step", "binding"),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "malloc", "binding"),
        ("/usr/lib/ld-linux-x86-64.so.2", "__tls_get_addr", "binding"),
        ("", "clock_gettime", "binding"),
        (BENCH, "noop", "Python"),
    ],
)
def test_whose_an_instruction_is(file, name, part) -> None:
    assert part_of(Function(file, name), UVLOOP) == part


def test_the_work_of_the_floor_is_in_the_harness_s_module() -> None:
    assert part_of(Function(BENCH, "serve"), FLOOR) == "loop"


@pytest.mark.parametrize(
    ("file", "application"),
    [
        (SCENARIO, True),
        ("/srv/app.py:main", True),
        ("/venv/lib/python3.13/site-packages/aiohttp/web.py:run", True),
        (ASYNCIO, False),
        ("<frozen importlib._bootstrap>:_find", False),
        ("/venv/lib/python3.13/site-packages/uvloop/__init__.py:run", False),
    ],
)
def test_whose_a_bytecode_is(file, application) -> None:
    assert anatomy.is_applications(file, UVLOOP) is application


def profile(times: int) -> Profile:
    costs = {
        Function(EXTENSION, "run"): 300,
        Function(PYTHON, "_PyEval_EvalFrameDefault"): 400,
        Function(PYTHON, "_PyObject_Malloc"): 100,
    }
    return Profile(self_cost=Counter({f: 1_000 + times * cost for f, cost in costs.items()}))


def process(times: int) -> dict[str, float]:
    each = {"wall_ns": 130.0, "cpu_ns": 110.0, "user_ns": 80.0, "system_ns": 20.0}
    return {name: 5_000 + times * value for name, value in each.items()}


def findings() -> Findings:
    return Findings(
        n={"plain": (10, 30), "callgrind": (1, 3), "bytecodes": (2, 6)},
        process=[process(10), process(30)],
        profiles=[profile(1), profile(3)],
        bytecodes=[{ASYNCIO: 2 * 3.0, SCENARIO: 2 * 1.0}, {ASYNCIO: 6 * 3.0, SCENARIO: 6 * 1.0}],
    )


def test_user_time_is_divided_by_instructions_and_evaluation_by_bytecodes() -> None:
    made = anatomy_of(UVLOOP, findings())
    assert (made.wall_ns, made.cpu_ns, made.waiting_ns) == (130, 110, 20)
    # A quarter of the bytecode is the application's.
    assert made.parts_instructions == {"loop": 300 + 300, "binding": 100, "Python": 100}
    # The clocks' CPU time, in the proportion of the kernel's ticks: 20 of 100.
    assert made.parts_ns == pytest.approx({"kernel": 22, "loop": 66, "binding": 11, "Python": 11})
    assert [*made.parts_ns] == [*PARTS]
    assert made.divided


def test_what_costs_most_comes_first_and_trifles_do_not_come() -> None:
    found = findings()
    found.profiles[1].self_cost[Function(EXTENSION, "trifle")] = 1
    made = anatomy_of(UVLOOP, found)
    assert [(cost.name, cost.share) for cost in made.functions] == [
        ("_PyEval_EvalFrameDefault", pytest.approx(0.5, abs=0.001)),
        ("run", pytest.approx(0.375, abs=0.001)),
        ("_PyObject_Malloc", pytest.approx(0.125, abs=0.001)),
    ]
    assert made.python_functions[0].file == "asyncio/tasks.py"


def test_without_instructions_user_time_stays_whole() -> None:
    found = findings()
    found.profiles = []
    made = anatomy_of(UVLOOP, found)
    assert made.parts_ns == pytest.approx({"kernel": 22, "user": 88})
    assert not made.divided


def test_a_loop_that_refuses_says_why() -> None:
    refused = Findings(events=[Event(event="unsupported", arm="uvloop", reason="needs udp")])
    made = anatomy_of(UVLOOP, refused)
    assert (made.status, made.missing, made.parts_ns) == ("unsupported", ["needs udp"], {})


def test_a_tool_that_a_loop_does_not_bear_costs_its_figures_only() -> None:
    found = findings()
    found.profiles = []
    found.events = [Event(event="left_out", arm="uvloop", reason="under valgrind: SIGILL")]
    made = anatomy_of(UVLOOP, found)
    assert (made.status, made.missing) == ("ok", ["under valgrind: SIGILL"])
