"""What a store says over hosts: which figures count, how they are combined, and who says what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from history_testing import Opener

from loopgauge.harness.fleet.combining import combine, error_of
from loopgauge.harness.history.fleet_model import StoredLoop, Summary, python_of
from loopgauge.harness.history.fleet_queries import RECENT, read_days, read_figures, stored_loops
from loopgauge.harness.history.model import Entry, MachineKind, SeriesKey, StoredRun
from loopgauge.harness.history.opening import init_store, open_store
from loopgauge.harness.history.over_hosts import REFERENCE, summarise, summarise_days

XEON = MachineKind(cpu_model="Xeon", kernel="6.1", python="3.14.0", build_kind="pgo+lto")
OLD = MachineKind(cpu_model="Xeon", kernel="6.1", python="3.9.1", build_kind="pgo+lto")
RYZEN = MachineKind(cpu_model="Ryzen", kernel="6.1", python="3.14.0", build_kind="pgo+lto")
TIMERS = ("timer.sleep", "timer.wait")
PROCESSES = 12
SPREAD = 1.02  # from the estimate to an end of its interval


@pytest.fixture
def file(tmp_path: Path) -> Opener:
    """For what does not depend on the database."""
    store = str(tmp_path / "history.sqlite")
    init_store(store)
    return lambda: open_store(store)


def entry(benchmark: str, loop: str, value: float | None, **fields: Any) -> Entry:
    known = {} if value is None else {"low": value / SPREAD, "high": value * SPREAD}
    series = {"metric": "ratio", "against": "asyncio", "machine": XEON}
    series |= {name: fields.pop(name) for name in [*series] if name in fields}
    key = SeriesKey(benchmark=benchmark, loop=loop, **series)
    given = {"arm": loop, "value": value, "processes": PROCESSES, "version": "1.0", **known}
    return Entry(series=key, **{**given, **fields})


def costs(benchmarks: Sequence[str], machine: MachineKind, unit: str) -> list[Entry]:
    """They have the units that the ratios lack."""
    return [
        Entry(
            series=SeriesKey(benchmark=name, loop="asyncio", metric="cost", unit=unit,
                             machine=machine),
            arm="asyncio",
            value=1.0,
        )
        for name in benchmarks
    ]  # fmt: skip


def run(
    host: str,
    ratios: dict[str, float | None],
    *,
    day: int = 1,
    machine: MachineKind = XEON,
    benchmarks: Sequence[str] = TIMERS,
    unit: str = "ns/wait",
    **fields: Any,
) -> StoredRun:
    """Every loop with one ratio in all of the benchmarks."""
    own = {name: fields.pop(name) for name in ("version", "against", "low") if name in fields}
    if any(value is None for value in ratios.values()):
        own["status"] = "crashed"
    entries = [
        entry(name, loop, value, machine=machine, **own)
        for loop, value in ratios.items()
        for name in benchmarks
    ]
    name = f"{host}-{machine.key}-{day}-{'-'.join(benchmarks)}"
    given = {
        "run": name, "name": "x.jsonl", "created": f"2026-01-{day:02}T00:00:00Z", "content": name,
        "size": 1, "host": host, "entries": [*entries, *costs(benchmarks, machine, unit)],
    }  # fmt: skip
    return StoredRun(**{**given, **fields})


def summary(opener: Opener, runs: Sequence[StoredRun], *, loop: str = "") -> Summary:
    history = opener()
    history.add(runs)
    with history.reading() as connection:
        found = summarise(read_figures(connection, REFERENCE, loop=loop), whole=not loop)
    history.close()
    return found


def only(summary: Summary) -> StoredLoop:
    (loop,) = summary.loops
    return loop


def test_a_figure_over_hosts_is_what_combine_makes_of_theirs(file: Opener) -> None:
    ratios = [0.50, 0.52, 0.49, 0.55, 0.51]
    made = only(summary(file, [run(f"h{n}", {"fast": r}) for n, r in enumerate(ratios)]))
    (line,) = made.families
    error = error_of(1 / SPREAD, SPREAD, PROCESSES)
    expected = combine([math.log(r) for r in ratios], [error] * 5, PROCESSES, math.log1p(0.01))
    over = line.pythons["3.14"]
    assert over.estimate == pytest.approx(math.exp(expected.estimate), rel=1e-9)
    assert (over.low, over.high) == pytest.approx(
        (math.exp(expected.low), math.exp(expected.high)), rel=1e-9
    )
    assert (line.name, line.kind, line.benchmarks) == ("timer", "cost", TIMERS)
    assert line.everywhere.faster == line.everywhere.hosts == 5
    assert over.next_host is not None
    assert [one.name for one in made.benchmarks] == [*TIMERS]


def test_the_newest_figure_of_a_host_counts_whatever_its_version(opener: Opener) -> None:
    runs = [run("a", {"fast": 0.9}, day=1), run("a", {"fast": 0.5}, day=2, version="2.0")]
    made = only(summary(opener, [*runs, run("b", {"fast": 0.5}, version="2.0")]))
    assert (made.version, made.hosts) == ("2.0", 2)
    assert made.families[0].pythons["3.14"].estimate == pytest.approx(0.5)


def test_a_look_at_one_benchmark_does_not_take_the_place_of_the_family(opener: Opener) -> None:
    runs = [run("a", {"fast": 0.5}), run("a", {"fast": 0.4}, day=2, benchmarks=TIMERS[:1])]
    (line,) = only(summary(opener, runs)).families
    assert line.pythons["3.14"].estimate == pytest.approx(math.sqrt(0.5 * 0.4))


def test_only_the_newest_runs_of_a_host_are_looked_at(opener: Opener) -> None:
    days = [run("a", {"fast": 0.5}, day=day) for day in range(2, RECENT + 2)]
    found = summary(opener, [run("a", {"gone": 0.5}), *days, run("b", {"fast": 0.5})])
    assert [one.loop for one in found.loops] == ["fast"]
    assert (found.hosts, found.runs) == (2, 2)


def test_what_a_resumed_run_has_replaced_counts_no_more(opener: Opener) -> None:
    first = run("a", {"fast": 0.9})
    grown = run("a", {"fast": 0.5}, content="longer", replaces=first.content)
    history = opener()
    assert history.add([first]) == ["added"]
    history.close()
    (line,) = only(summary(opener, [grown])).families
    assert line.pythons["3.14"].estimate == pytest.approx(0.5)


def test_hosts_that_say_the_opposite_are_counted_and_named(file: Opener) -> None:
    runs = [run(f"h{n}", {"fast": 0.5 + 0.002 * n}) for n in range(9)]
    (line,) = only(summary(file, [*runs, run("odd", {"fast": 2.0}, machine=RYZEN)])).families
    over = line.pythons["3.14"]
    assert (over.counts.faster, over.counts.slower) == (9, 1)
    assert over.counts.both_ways
    assert [host.host for host in over.odd] == ["odd"]
    assert over.estimate == pytest.approx(0.508, abs=0.001)
    assert line.opposite("3.14") == [RYZEN]
    assert set(line.kinds) == {XEON, RYZEN}


def test_pythons_are_never_pooled(file: Opener) -> None:
    runs = [run(f"h{n}", {"fast": 0.5}) for n in range(3)]
    runs += [run(f"h{n}", {"fast": 0.8}, machine=OLD) for n in range(3)]
    (line,) = only(summary(file, runs)).families
    assert [*line.pythons] == ["3.14", "3.9"]
    assert line.pythons["3.9"].estimate == pytest.approx(0.8)
    assert line.everywhere.hosts == 6
    assert python_of(MachineKind(**{**as_dict(XEON), "build_kind": "pgo+nogil"})) == "3.14t"


def as_dict(machine: MachineKind) -> dict[str, str]:
    return {name: getattr(machine, name) for name in machine.__struct_fields__}


def test_who_has_no_figure_is_counted_and_left_out(opener: Opener) -> None:
    thin = run("thin", {"fast": 0.5})
    for one in thin.entries:
        one.low = one.high = None
    runs = [
        *(run(f"h{n}", {"fast": 0.5}) for n in range(3)),
        run("crash", {"fast": None}),
        run("other", {"fast": 0.1}, benchmarks=["timer.else"]),
        thin,
    ]
    (line,) = only(summary(opener, runs)).families
    counts = line.everywhere
    assert (counts.hosts, counts.failing, counts.other, counts.thin) == (3, 1, 1, 1)
    assert line.pythons["3.14"].estimate == pytest.approx(0.5)


def test_runs_that_do_not_tell_their_host_are_those_of_one(opener: Opener) -> None:
    found = summary(opener, [run("", {"fast": 0.5}, day=day) for day in (1, 2)])
    assert (found.hosts, found.unknown) == (1, 1)


def test_noisy_runs_are_counted(opener: Opener) -> None:
    found = summary(opener, [run("a", {"fast": 0.5}, advisory=True), run("b", {"fast": 0.5})])
    assert (found.runs, found.advisory) == (2, 1)


def test_who_leads_and_where_another_is_clearly_faster(file: Opener) -> None:
    runs = [run(f"h{n}", {"fast": 0.50, "next": 0.60}) for n in range(5)]
    runs.append(run("turned", {"fast": 0.60, "next": 0.50}, machine=RYZEN))
    found = summary(file, runs)
    (section,) = found.pythons
    (lead,) = section.leads
    assert (lead.first, lead.next, lead.shares) == ("fast", "next", [])
    assert (lead.hosts, lead.ahead, lead.beaten) == (6, 5, 1)
    assert lead.beaten_by == {"next": [RYZEN]}
    there = {one.machine: one.leads[0].first for one in found.kinds}
    assert there == {XEON: "fast", RYZEN: "next"}


def test_stock_asyncio_may_be_the_fastest(file: Opener) -> None:
    runs = [run(f"h{n}", {"slow": 1.5}) for n in range(4)]
    (lead,) = summary(file, runs).pythons[0].leads
    assert (lead.first, lead.next, lead.over) == (REFERENCE, "slow", None)


def test_equal_loops_share_the_front(file: Opener) -> None:
    runs = [run(f"h{n}", {"one": 0.500 + n / 100, "two": 0.505 - n / 100}) for n in (-1, 0, 1, 2)]
    (lead,) = summary(file, runs).pythons[0].leads
    assert lead.shares == [{"one": "two", "two": "one"}[lead.first]]


def test_waits_and_bytes_are_no_time_per_operation(file: Opener) -> None:
    runs = [run("a", {"fast": 0.5}), run("a", {"fast": 0.5}, benchmarks=["signal.x"], unit="us")]
    runs.append(run("a", {"fast": 0.5}, benchmarks=["io.held"], unit="B"))
    made = only(summary(file, runs))
    assert [(line.name, line.kind) for line in made.families] == [
        ("timer", "cost"),
        ("signal", "wait"),
    ]
    assert {line.name: line.kind for line in made.benchmarks}["io.held"] is None


def test_other_yardsticks_and_gates_are_left_out(opener: Opener) -> None:
    runs = [
        run("a", {"fast": 0.5}),
        run("b", {"fast": 0.1}, against="asyncio@3.9.1"),
        run("c", {"fast": 0.1}, against="base", kind="gate"),
    ]
    found = summary(opener, runs)
    assert (found.hosts, found.strange) == (1, 2)


def test_a_loop_by_itself_has_the_figures_that_it_has_among_others(opener: Opener) -> None:
    runs = [run(f"h{n}", {"fast": 0.5 + n / 50, "next": 0.6}) for n in range(5)]
    whole, alone = summary(opener, runs), summary(opener, [], loop="fast")
    assert only(alone) == whole.of("fast")[0]
    history = opener()
    with history.reading() as connection:
        assert stored_loops(connection) == ["fast", "next"]
    history.close()


def test_days_hold_the_hosts_of_each(file: Opener) -> None:
    history = file()
    history.add([run(f"h{n}", {"fast": 0.5 * day}, day=day) for n in range(3) for day in (1, 2)])
    history.add([run("h0", {"fast": 0.5}, day=3, version="2.0")])
    with history.reading() as connection:
        (found,) = summarise_days(read_days(connection, REFERENCE))
    history.close()
    assert (found.python, found.family, found.loop) == ("3.14", "timer", "fast")
    assert {day: over.counts.hosts for day, over in found.days.items()} == {
        "2026-01-01": 3,
        "2026-01-02": 3,
        "2026-01-03": 1,
    }
    assert found.days["2026-01-02"].estimate == pytest.approx(1.0)


def test_days_are_those_of_the_hosts_with_the_most_runs(opener: Opener) -> None:
    history = opener()
    history.add([run("often", {"fast": 0.5}, day=day) for day in (1, 2, 3)])
    history.add([run("twice", {"fast": 0.9}, day=day) for day in (3, 4)])
    history.add([run("once", {"fast": 0.9}, machine=OLD)])
    with history.reading() as connection:
        figures = read_days(connection, REFERENCE, hosts=1)
    history.close()
    assert {host.host for host in figures.hosts} == {"often", "once"}
    (found,) = summarise_days(figures)
    assert [over.estimate for over in found.days.values()] == pytest.approx([0.5] * 3)


def test_of_many_hosts_that_are_alike_none_says_the_opposite(file: Opener) -> None:
    """Each by itself would in one of forty cases."""
    draw = np.random.default_rng(5).normal(0, error_of(1 / SPREAD, SPREAD, PROCESSES), (300, 2))
    found = summary(
        file,
        [run(f"h{n}", {"one": math.exp(a), "two": math.exp(b)}) for n, (a, b) in enumerate(draw)],
    )
    for loop in found.loops:
        assert (loop.families[0].everywhere.faster, loop.families[0].everywhere.slower) == (0, 0)
        assert loop.families[0].odd == []
    (lead,) = found.pythons[0].leads
    assert (lead.beaten, len(lead.shares)) == (0, 2)


def test_nothing_at_all(opener: Opener) -> None:
    found = summary(opener, [])
    assert (found.hosts, found.loops, found.pythons, found.kinds) == (0, [], [], [])
