"""What a fleet run says: each host first, then whether it holds on all of them."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from fleets_testing import Host, write_fleet

from loopgauge.harness.fleet.across import (
    ArmAcross,
    FleetSummary,
    SubjectAcross,
    agreement_of,
    summarise_fleet,
)
from loopgauge.harness.fleet.folder import read_fleet
from loopgauge.harness.summary import summarise

KEYS = [f"{number:08x}" for number in range(1, 9)]


def fleet(folder: Path, *hosts: Host, **more: object) -> FleetSummary:
    found = read_fleet(write_fleet(folder, hosts, **more))  # type: ignore[arg-type]
    return summarise_fleet(found, {key: summarise(run) for key, run in found.runs.items()})


def the(subjects: list[SubjectAcross], name: str) -> SubjectAcross:
    return next(one for one in subjects if one.id == name)


def loop(subject: SubjectAcross, name: str) -> ArmAcross:
    return next(one for one in subject.arms if one.arm == name)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("fff", ("everywhere", "faster", [])),
        ("ffs", ("opposite", "faster", ["2"])),
        ("sfs", ("opposite", "slower", ["1"])),
        ("fs", ("opposite", "", [])),
        ("ffi", ("mostly", "faster", [])),
        ("fii", ("open", "faster", [])),
        ("iii", ("open", "", [])),
        ("eee", ("everywhere", "equivalent", [])),
        ("f", ("alone", "faster", [])),
        ("", ("", "", [])),
    ],
)
def test_how_far_hosts_agree(said: str, wanted: tuple[str, str, list[str]]) -> None:
    words = {"f": "faster", "s": "slower", "e": "equivalent", "i": "inconclusive"}
    assert agreement_of({str(n): words[one] for n, one in enumerate(said)}) == wanted  # type: ignore[misc]


def test_what_holds_everywhere(tmp_path: Path) -> None:
    found = fleet(tmp_path / "f", *(Host(key, {"epoll": 0.3, "slow": 1.5}) for key in KEYS[:4]))
    assert [host.key for host in found.measured] == KEYS[:4]
    assert found.complete
    subject = the(found.benchmarks, "timer.sleep")
    assert subject.hosts == KEYS[:4]
    assert subject.leaders == ["epoll"]
    assert [arm.arm for arm in subject.arms] == ["epoll", "slow"]
    epoll = loop(subject, "epoll")
    assert (epoll.agreement, epoll.verdict, epoll.named) == ("everywhere", "faster", [])
    (part,) = epoll.parts
    assert part.over.low < 0.3 < part.over.high
    assert part.verdict == "faster"
    assert part.python == "3.13"
    assert loop(subject, "slow").verdict == "slower"
    assert {one.id: one.kind for one in found.families} == {
        "throughput": "family",
        "timer": "family",
    }
    assert loop(the(found.families, "timer"), "epoll").agreement == "everywhere"


def test_a_loop_that_loses_on_one_host_is_the_finding(tmp_path: Path) -> None:
    hosts = [Host(key, {"epoll": 0.6}) for key in KEYS[:7]]
    hosts.append(Host(KEYS[7], {"epoll": 0.6, ("epoll", "timer.sleep"): 1.7}))
    found = fleet(tmp_path / "f", *hosts)
    subject = the(found.benchmarks, "timer.sleep")
    epoll = loop(subject, "epoll")
    assert (epoll.agreement, epoll.verdict) == ("opposite", "faster")
    assert epoll.against == epoll.odd == epoll.named == [KEYS[7]]
    assert epoll.fastest_on == KEYS[:7]
    assert subject.leaders == []
    (part,) = epoll.parts
    assert part.verdict == ""  # no verdict over hosts that say the opposite
    assert part.over.high < 0.65
    assert part.everyone.high > 0.9
    assert part.prediction_high > 1
    assert loop(the(found.benchmarks, "timer.wait_for"), "epoll").agreement == "everywhere"


def test_pythons_are_not_mixed(tmp_path: Path) -> None:
    old = [Host(key, {"epoll": 0.6}, python="3.9.2") for key in KEYS[:3]]
    new = [Host(key, {"epoll": 0.3}, python="3.14.0") for key in KEYS[3:6]]
    found = fleet(tmp_path / "f", *new, *old)
    parts = loop(found.benchmarks[0], "epoll").parts
    assert [part.python for part in parts] == ["3.9", "3.14"]
    assert [part.hosts for part in parts] == [KEYS[:3], KEYS[3:6]]
    assert parts[0].over.low > 0.5 > 0.35 > parts[1].over.high
    assert [part.odd for part in parts] == [[], []]


def test_who_is_missing_is_said_with_its_reason(tmp_path: Path) -> None:
    found = fleet(
        tmp_path / "f",
        Host(KEYS[0], {"epoll": 0.3, "uvloop": 0.5}),
        Host(KEYS[1], {"epoll": 0.3, "uvloop": 0.5}, without=["uvloop"]),
        Host(KEYS[2], {}, state="left_out", reason="another loopgauge"),
        Host(KEYS[3], {"epoll": 0.3, "uvloop": 0.5}, state="lost", reason="gone for 60 s"),
    )
    assert [host.state for host in found.hosts] == ["done", "done", "left_out", "lost"]
    assert [host.measured for host in found.hosts] == [True, True, False, True]
    assert found.hosts[2].reason == "another loopgauge"
    assert not found.hosts[3].complete
    assert not found.complete
    uvloop = loop(found.benchmarks[0], "uvloop")
    assert uvloop.missing == {KEYS[1]: "unavailable: no wheel fits"}
    assert [*uvloop.ratios] == [KEYS[0], KEYS[3]]
    family = loop(the(found.families, "timer"), "uvloop")
    assert family.missing == {KEYS[1]: "0 of 2 benchmarks"}


def test_too_few_processes_give_no_figure_over_hosts(tmp_path: Path) -> None:
    found = fleet(tmp_path / "f", *(Host(key, {"epoll": 0.3}, processes=4) for key in KEYS[:3]))
    epoll = loop(found.benchmarks[0], "epoll")
    assert len(epoll.ratios) == 3
    assert epoll.parts == []
    assert epoll.agreement == "open"


def test_a_fleet_without_a_figure_has_its_hosts(tmp_path: Path) -> None:
    found = fleet(tmp_path / "f", Host(KEYS[0], {}, state="left_out", reason="no disk"))
    assert found.measured == []
    assert (found.benchmarks, found.families) == ([], [])
    assert found.hosts[0].reason == "no disk"


def test_a_noisy_host_is_marked(tmp_path: Path) -> None:
    found = fleet(
        tmp_path / "f",
        Host(KEYS[0], {"epoll": 0.3}),
        Host(KEYS[1], {"epoll": 0.3}, twin=1.2),
    )
    assert [host.advisory for host in found.hosts] == [False, True]


def test_it_is_json_without_figures_that_json_cannot_hold(tmp_path: Path) -> None:
    found = fleet(tmp_path / "f", *(Host(key, {"epoll": 0.3}) for key in KEYS[:2]))
    (part,) = loop(found.benchmarks[0], "epoll").parts
    assert math.isinf(part.prediction_high)
    decoded = msgspec.json.decode(msgspec.json.encode(found))
    arms = decoded["benchmarks"][0]["arms"]
    assert arms[0]["parts"][0]["prediction_high"] is None
