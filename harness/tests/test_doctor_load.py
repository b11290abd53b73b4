"""Who else works: two moments in, culprits and findings out."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from loopgauge.harness.doctor import load
from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.doctor.load import Culprit, Moment, Others, Work
from loopgauge.harness.model import Load

OWN = 7


def moment(at_s: float, busy_s: float, work: dict[int, Work], steal_s: float = 0) -> Moment:
    """On two CPUs. Processes start at the time of their id."""
    snapshot = Load(busy_s=busy_s, steal_s=steal_s, total_s=2 * at_s)
    return Moment(at_s, snapshot, {(pid, float(pid)): one for pid, one in work.items()})


def bad(findings: Iterable[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.level in ("warning", "problem")]


def only(findings: Iterable[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def test_what_each_process_used_between_two_moments() -> None:
    before = moment(10, 5, {OWN: Work("bench", 3), 20: Work("node", 100), 30: Work("sleepy", 9)})
    after = moment(
        12,
        9,
        {
            OWN: Work("bench", 5),
            20: Work("node", 101),
            30: Work("sleepy", 9.01),
            40: Work("new", 0.5),
            50: Work("kworker/0:1", 0.2, kernel=True),
        },
    )
    found = load.others(before, after, own=OWN)
    assert [*found.culprits] == [
        Culprit("node", 20, 0.5),
        Culprit("new", 40, 0.25),
        Culprit("kworker/0:1", 50, 0.1, kernel=True),
    ]
    assert found.cpus == pytest.approx(0.855)
    assert found.unseen == pytest.approx(2 - 1 - 0.855)


def test_children_that_lived_and_ended_in_between_are_their_parents() -> None:
    """A build: compilers come and go, and make itself does next to nothing."""
    before = moment(10, 0, {20: Work("make", 1, children_s=50)})
    after = moment(11, 1, {20: Work("make", 1, children_s=50.9)})
    (found,) = load.others(before, after, own=OWN).culprits
    assert (found.name, found.share) == ("make", pytest.approx(0.9))


def test_of_a_child_that_ended_only_what_it_used_in_between_counts() -> None:
    old = Work("cc1plus", 30, children_s=2, parent=20)
    before = moment(10, 0, {20: Work("make", 1), 21: old})
    after = moment(11, 1, {20: Work("make", 1, children_s=32.4)})
    (found,) = load.others(before, after, own=OWN).culprits
    assert found.share == pytest.approx(0.4)


def test_a_process_id_that_was_given_again_is_another_process() -> None:
    before = Moment(0, Load(), {(20, 1.0): Work("old", 50)})
    after = Moment(1, Load(), {(20, 2.0): Work("young", 0.2)})
    (found,) = load.others(before, after, own=OWN).culprits
    assert (found.name, found.share) == ("young", pytest.approx(0.2))


def test_time_that_was_stolen_is_nobodys_here() -> None:
    found = load.others(moment(10, 0, {}), moment(11, 0.5, {}, steal_s=0.5), own=OWN)
    assert found.unseen == 0
    assert found.stolen == pytest.approx(0.25)


def test_a_quiet_machine_gives_no_warning() -> None:
    quiet = Others(load=Load(load_1m=0.1, total_s=100), lost=0.001, cpus=0.02)
    assert bad(load.load_findings(quiet)) == []


def test_load_is_told_with_who_it_is_and_how_to_stop_it() -> None:
    culprits = [Culprit("node", 20, 0.7), Culprit("kworker/0:1", 50, 0.1, kernel=True)]
    found = only(load.load_findings(Others(culprits, cpus=0.8)), "load")
    assert found.level == "warning"
    assert "80% of a CPU just now: node (20) 70%, kworker/0:1 (50) 10%" in found.found
    assert "kill -STOP 20 (on: kill -CONT 20)" in found.cure


def test_load_that_is_over_is_no_warning() -> None:
    found = only(load.load_findings(Others(load=Load(load_1m=3))), "load")
    assert (found.level, "little runs just now" in found.found) == ("info", True)


@pytest.mark.parametrize(
    ("found", "check"),
    [
        (Others(unseen=0.5), "unseen load"),
        (Others(lost=0.2), "interference"),
        (Others(load=Load(steal_s=5, total_s=100)), "steal"),
        (Others(stolen=0.05), "steal"),
        (Others(waiting=0.3), "cpu pressure"),
        (Others(niceness=10), "priority"),
        (Others(policy=os.SCHED_BATCH), "priority"),
        (Others(policy=os.SCHED_FIFO), "priority"),
    ],
)
def test_every_other_noise_has_meaning_and_cure(found: Others, check: str) -> None:
    findings = [*load.load_findings(found)]
    assert bad(findings) == [check]
    warning = only(findings, check)
    assert warning.meaning
    assert warning.cure


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["python3", "-P", "-m", "pytest", "--token=x"], "python -m pytest"),
        (["python3", "/srv/app/serve.py", "secret"], "python serve.py"),
        (["python3", "-u", "-c", "password = 1"], "python"),
        (["python3", "-m"], "python"),
        ([], "python"),
    ],
)
def test_interpreters_are_told_apart_by_what_they_run(words: list[str], shown: str) -> None:
    assert load.title("python", words) == shown


def test_other_programs_keep_their_names() -> None:
    assert load.title("cc1plus", ["cc1plus", "secret.cpp"]) == "cc1plus"
    assert load.title("shelf", ["shelf", "secret"]) == "shelf"
    assert load.title("python3.14", ["python3.14", "a.py"]) == "python3.14 a.py"


def test_this_process_is_among_those_that_are_seen() -> None:
    found = {pid: work for (pid, _), work in load.moment().work.items()}
    assert found[os.getpid()].cpu_s > 0
    assert found[os.getpid()].parent == os.getppid()


def test_the_lost_share_is_a_share() -> None:
    assert 0 <= load.lost_share(0.01) < 1
