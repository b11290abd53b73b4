"""What callgrind and strace write, read back; and the arithmetic of two sizes."""

from __future__ import annotations

from collections import Counter

import pytest

from loopgauge.harness.deterministic import callgrind, figures, strace
from loopgauge.harness.deterministic.callgrind import UNNAMED, Function, allocator_calls
from loopgauge.harness.deterministic.counters import MARK
from loopgauge.harness.deterministic.figures import Subject
from loopgauge.harness.deterministic.sizes import per_operation, two_sizes

# As recorded, shortened: names with numbers, an inlined file, a call into another object and one
# into the same, a function without a symbol, one called by itself.
PROFILE = """\
# callgrind format
version: 1
creator: callgrind-3.19.0
part: 7

desc: Trigger: Client Request: run 1

positions: line
events: Ir
summary: 999

ob=(10) /lib/select.so
fl=(192) selectmodule.c.h
fn=(2370) select_epoll_poll
957 10
+28 5
cob=(1) /lib/libpython3.13.so.1.0
cfi=(41) longobject.c
cfn=(264) PyLong_AsInt
calls=3 559
* 1000
fi=(193) selectmodule.c
1573 2
cfn=(2371) helper
calls=1 +4
+4 7

ob=(1)
fl=(41)
fn=(264)
559 30
fn=(300) 0x00000000001e3b20
0 4
fn=(301) eval
1 100
cfn=(302) eval'2
calls=2 1
* 55
fn=(302)
1 50
cob=(3) /lib/x86_64-linux-gnu/libc.so.6
cfn=(400) malloc
calls=6 0
0 60

ob=(3)
fn=(400)
0 60

totals: 261
"""


def test_each_function_has_its_own_instructions() -> None:
    profile = callgrind.parse(PROFILE.splitlines(keepends=True))
    python, select = "/lib/libpython3.13.so.1.0", "/lib/select.so"
    assert profile.trigger == "run 1"
    assert profile.self_cost == {
        Function(select, "select_epoll_poll"): 17,
        Function(python, "PyLong_AsInt"): 30,
        Function(python, UNNAMED): 4,
        Function(python, "eval"): 150,
        Function("/lib/x86_64-linux-gnu/libc.so.6", "malloc"): 60,
    }
    assert profile.total == 261


def test_calls_are_counted_in_the_object_they_go_to() -> None:
    calls = callgrind.parse(PROFILE.splitlines()).calls
    assert calls[Function("/lib/libpython3.13.so.1.0", "PyLong_AsInt")] == 3
    assert calls[Function("/lib/select.so", "helper")] == 1  # cob= held for one call only
    assert calls[Function("/lib/libpython3.13.so.1.0", "eval")] == 2
    assert allocator_calls(callgrind.parse(PROFILE.splitlines())) == {"malloc": 6}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("version: 1\nevents: Ir\nfn=(1) a\n1 2\n", "not whole"),
        ("events: Ir Dr Dw\ntotals: 1 2 3\n", "other events"),
        ("events: Ir\nfn=(7)\ntotals: 1\n", "line 2"),
    ],
)
def test_what_callgrind_would_not_write_is_refused(tmp_path, text, complaint) -> None:
    path = tmp_path / "callgrind.1"
    path.write_text(text)
    with pytest.raises(callgrind.BadProfile, match=complaint):
        callgrind.read_profile(path)


def test_runs_are_found_among_the_tries(tmp_path) -> None:
    for number, trigger in enumerate(["try", "try", "run 0", "run 1"], 1):
        text = PROFILE.replace("run 1", trigger)
        (tmp_path / f"callgrind.{number}").write_text(text)
    (tmp_path / "callgrind").write_text("cut off")
    assert [*callgrind.runs(tmp_path)] == [0, 1]


def trace(*lines: str) -> Counter[str]:
    """The calls between the marks of run 0."""
    first, last = f"10 close({MARK}) = -1 EBADF", f"10 close({MARK - 1}) = -1 EBADF"
    return strace.calls(["10 execve(...) = 0", first, *lines, last, "10 read(3) = 0"])[0]


def test_calls_between_the_marks_count() -> None:
    assert trace("10 epoll_wait(4, [], 1, 0) = 0", '10 write(1, ""..., 5) = 5') == {
        "epoll_wait": 1,
        "write": 1,
    }


def test_a_call_in_two_lines_counts_once() -> None:
    lines = ["10 epoll_wait(4,  <unfinished ...>", "10 <... epoll_wait resumed>[], 1, 0) = 0"]
    assert trace(*lines) == {"epoll_wait": 1}


def test_signals_and_ends_are_no_calls() -> None:
    assert trace("10 --- SIGCHLD {si_signo=SIGCHLD} ---", "12 +++ exited with 0 +++") == {}


def test_threads_count_and_children_do_not() -> None:
    lines = [
        "10 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SIGHAND}, 88) = 11",
        "11 futex(0x1, FUTEX_WAKE_PRIVATE, 1) = 0",
        "10 vfork( <unfinished ...>",
        '20 execve("/bin/true", [], []) = 0',
        "10 <... vfork resumed>) = 20",
        "10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 30",
        "30 read(0) = 0",
        # A thread of a child is not ours either, and one that began before clone returned is.
        "30 clone(child_stack=0x7, flags=CLONE_VM|CLONE_THREAD) = 31",
        "31 read(0) = 0",
        "10 clone3({flags=CLONE_VM|CLONE_THREAD}, 88 <unfinished ...>",
        "12 madvise(0x1, 2, 3) = 0",
        "10 <... clone3 resumed> => {parent_tid=[12]}, 88) = 12",
    ]
    assert trace(*lines) == {"clone3": 2, "futex": 1, "vfork": 1, "clone": 1, "madvise": 1}


def test_sizes_go_up_by_the_grain_until_it_is_enough() -> None:
    asked = []
    assert two_sizes(10, lambda n: asked.append(n) or n >= 100) == (160, 480)
    assert asked == [10, 40, 160]


def test_what_does_not_grow_with_n_cancels() -> None:
    assert per_operation((100, 300), (1_000 + 7 * 100, 1_000 + 7 * 300)) == 7


SUBJECT = Subject("family.name", "loop", "message")


def test_a_metric_is_the_sum_of_its_parts() -> None:
    small, large = {"read": 100.0, "once": 5.0}, {"read": 300.0, "once": 5.0, "write": 100.0}
    [made] = figures.of_trace(SUBJECT, (100, 300), [small, large], "strace 6.1")
    assert (made.value, made.unit, made.tool) == (1.5, "call/message", "strace 6.1")
    assert made.by_name == {"read": 1.0, "write": 0.5}
    assert (made.n, made.raw) == ([100, 300], [105.0, 405.0])


def test_small_functions_are_added_up_by_file() -> None:
    parts = {"big [a.so]": 9_990.0, "x [a.so]": 3.0, "y [a.so]": 4.0, "x [b.so]": 3.0}
    kept = figures.without_small(parts, 10_000.0)
    assert kept == {"big [a.so]": 9_990.0, "(others) [a.so]": 7.0, "(others) [b.so]": 3.0}


def test_what_a_process_counts_of_itself() -> None:
    small = {"allocations:object": 10.0, "reallocations:mem": 1.0, "bytes:object": 500.0}
    small |= {"voluntary_switches": 3.0, "involuntary_switches": 0.0}
    large = {name: 3 * value for name, value in small.items()} | {"cycles": 900.0}
    found = {m.metric: m for m in figures.of_process(SUBJECT, (10, 30), [small, large])}
    assert found["allocations"].value == 1.1
    assert found["allocations"].by_name == {"object": 1.0, "mem (realloc)": 0.1}
    assert found["allocated_bytes"].value == 50
    assert found["voluntary_switches"].value == 0.3
    assert found["voluntary_switches"].by_name == {}
    assert "cycles" not in found  # counted in one run only: no figure
