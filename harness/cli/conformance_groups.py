"""Hosts put together whose verdicts may stand in one file: the same Python, loops and questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.conformance.lanes import Question
    from loopgauge.conformance.model import Header, Lane
    from loopgauge.harness.cli.survey import Survey, Wanted
    from loopgauge.harness.fleet.fleet import Fleet
    from loopgauge.harness.fleet.hosts import Host


@dataclass
class Group:
    """Hosts of which any may answer. `name` tells groups apart, for people."""

    hosts: list[Host]
    survey: Survey
    name: str = ""

    @property
    def header(self) -> Header:
        return self.survey.header

    def questions(self, lane: Lane) -> list[Question]:
        """Raises LaneMissing."""
        from loopgauge.conformance.lanes import LaneMissing

        found = self.survey.questions[lane]
        if isinstance(found, str):
            raise LaneMissing(found)
        return found

    @property
    def places(self) -> int:
        return sum(host.threads * len(host.workers) for host in self.hosts)


def groups_of(
    fleet: Fleet, wanted: Wanted, left_out: list[str], news: Callable[[str], None]
) -> list[Group]:
    """Asks every host what it is. One that cannot say is left out, and told."""
    from loopgauge.harness.cli import survey
    from loopgauge.harness.errors import CallFailed, HostLost, NonsenseFromHost

    payload = msgspec.json.encode(wanted)
    calls = [
        (host, fleet.submit([host], survey.TELL, payload, exclusive=False)) for host in fleet.hosts
    ]
    groups: dict[bytes, Group] = {}
    for host, call in calls:
        try:
            found = survey.believed(host.name, call.result(), wanted)
        except (CallFailed, HostLost, NonsenseFromHost) as error:
            left_out.append(str(error))
            news(f"left out: {error}")
            continue
        group = groups.setdefault(survey.kind(found), Group([], found))
        group.hosts.append(host)
        kernels = [*group.header.kernel.split(", "), found.header.kernel]
        group.header.kernel = ", ".join(dict.fromkeys(kernels))
    if not groups:
        raise Problem(ExitCode.NOTHING_MEASURED, f"no host can be asked: {'; '.join(left_out)}")
    versions = Counter(group.header.python for group in groups.values())
    for group in groups.values():
        python = group.header.python
        beside = f" ({group.hosts[0].name})" if versions[python] > 1 else ""
        group.name = f"Python {python}{beside}"
    return [*groups.values()]


def somebody(header: Header) -> bool:
    """Whether a loop that was asked for is there."""
    from loopgauge.conformance.session import STOCK

    asked = [one for one in header.subjects if one.loop != STOCK] or header.subjects
    return any(one.available for one in asked)


def refuse_strangers(groups: Sequence[Group]) -> None:
    """A loop that no host knows by this name is a slip of the finger."""
    for subjects in zip(*(group.header.subjects for group in groups), strict=False):
        if not any(subject.factory for subject in subjects):
            raise Problem(ExitCode.USAGE, subjects[0].reason)


def knows(group: Group, word: str) -> bool:
    return not names_in(group, word)


def names_in(group: Group, word: str) -> list[str]:
    """What could have been meant instead, where nothing of the group is called so."""
    from loopgauge.conformance import session

    try:
        session.chosen([word], group.header.lanes, group.questions)
    except session.UnknownCases as error:
        return [*error.known]
    return []
