"""`bench conformance --on`: the questions go to the hosts of a cluster, in batches.

Any host of a group (`conformance_groups`) may answer any batch; the verdicts of a group stand in
one result file. The command judges and writes.
"""

from __future__ import annotations

import itertools
import queue
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loopgauge.harness.cli.errors import Problem, did_you_mean
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.conformance.runner.elsewhere import Elsewhere
    from loopgauge.conformance.session import Request
    from loopgauge.conformance.store import Results
    from loopgauge.harness.cli.conformance_groups import Group
    from loopgauge.harness.cli.survey import Wanted
    from loopgauge.harness.cli.verdicts_shown import Shown
    from loopgauge.harness.fleet.fleet import Fleet
    from loopgauge.harness.fleet.place import Place

PERFORM = "loopgauge.conformance.runner.batch:perform"

#: A host whose answers fail so often is asked no more, where another one can be.
FAILURES = 3

#: What a batch is called that several workers died of: it is not sent to the others.
DEADLY = "DiedTooOften"


@dataclass
class Part:
    """What is asked of one group, and the file of its verdicts. `error`: what ended it early."""

    group: Group
    request: Request
    path: Path
    earlier: Results | None = None
    shown: Shown = field(init=False)
    asking: Elsewhere = field(init=False)
    error: BaseException | None = None


@dataclass
class Asked:
    """Of the whole command: the parts, and the hosts that could not take part, with the reason."""

    parts: list[Part]
    left_out: list[str]


class News:
    """What happens to the hosts, shown beside the progress as soon as there is one."""

    def __init__(self) -> None:
        from loopgauge.harness.cli.on import say

        self.tell: Callable[[str], None] = say

    def __call__(self, line: str) -> None:
        self.tell("".join(c for c in line if c.isprintable()))


@contextmanager
def surveyed(
    place: Place, wanted: Wanted, news: News
) -> Iterator[tuple[Fleet, list[Group], list[str]]]:
    """An open fleet, its groups and who was left out. Raises NoScheduler, NoHost, Problem."""
    from loopgauge.harness.cli.conformance_groups import groups_of
    from loopgauge.harness.cli.on import fleet

    with fleet(place, news) as opened:
        left_out = [f"{one.name} {one.reason}" for one in opened.left_out]
        groups = groups_of(opened, wanted, left_out, news)
        yield opened, groups, left_out


def parts_of(
    groups: Sequence[Group], what: Sequence[str], repeat: int, only: frozenset[str] | None
) -> list[Part]:
    """What a new run asks of each group that has something of it. Raises Problem for a name that
    nobody knows, and where no loop can be asked."""
    from loopgauge.conformance import session, store
    from loopgauge.harness.cli.conformance_groups import (
        knows,
        names_in,
        refuse_strangers,
        somebody,
    )
    from loopgauge.harness.cli.questions import refuse_nobody

    refuse_strangers(groups)
    known = {id(group): [word for word in what if knows(group, word)] for group in groups}
    for word in what:
        if not any(word in words for words in known.values()):
            names = [name for group in groups for name in names_in(group, word)]
            raise Problem(
                ExitCode.USAGE,
                f"no area, rule or case is called {word!r}",
                did_you_mean(word, names) or "`bench list rules` shows all",
            )
    parts = []
    for group in groups:
        words = known[id(group)]
        if what and not words:
            continue
        group.header.selection = sorted(only) if only is not None else words
        group.header.repeat = repeat
        request = session.Request(group.header, group.survey.targets, words, only)
        parts.append(Part(group, request, store.new_path()))
    able = [part for part in parts if somebody(part.group.header)]
    if not able:
        refuse_nobody(parts[0].request)
    return able


def part_to_resume(groups: Sequence[Group], earlier: Results) -> Part:
    """The group that can go on with this file. Raises ResumeMismatch."""
    from loopgauge.conformance import session
    from loopgauge.harness.cli.resuming import refuse_changes
    from loopgauge.harness.errors import ResumeMismatch

    refused: ResumeMismatch | None = None
    for group in groups:
        try:
            refuse_changes(earlier.header, group.header)
        except ResumeMismatch as error:
            refused = refused or error
            continue
        header = earlier.header
        request = session.Request(header, group.survey.targets, [*header.selection])
        return Part(group, request, earlier.path, earlier)
    assert refused is not None
    raise refused


def elsewhere(
    group: Group,
    fleet: Fleet,
    variables: Mapping[str, str],
    path: Sequence[str],
    news: Callable[[str], None],
    left_out: list[str],
) -> Elsewhere:
    """The hosts of a group, as whom a session asks."""
    from loopgauge.conformance.runner.elsewhere import Elsewhere
    from loopgauge.harness.errors import HostLost, SchedulerLost

    sender = Sender(fleet, group, news, left_out)
    return Elsewhere(
        sender.send,
        group.survey.questions,
        group.places,
        variables,
        path,
        fatal=(HostLost, SchedulerLost),
        failed=sender.failed,
    )


class Sender:
    """Sends batches to whichever host of the group is free. A host whose answers are of no use is
    named, and asked no more as soon as there is another. Who sent nonsense is known only where one
    host alone could: after the first, every batch is one host's, in turn."""

    def __init__(
        self, fleet: Fleet, group: Group, news: Callable[[str], None], left_out: list[str]
    ) -> None:
        self._left_out = left_out
        self._fleet = fleet
        self._hosts = [*group.hosts]
        self._news = news
        self._failures: Counter[str] = Counter()
        self._turn = itertools.count()
        self._careful = len(group.hosts) == 1
        self._to: weakref.WeakKeyDictionary[Future[bytes], str] = weakref.WeakKeyDictionary()

    def send(self, payload: bytes, alone: bool) -> Future[bytes]:
        hosts = self._hosts
        if self._careful:
            hosts = [hosts[next(self._turn) % len(hosts)]]
        future = self._fleet.submit(hosts, PERFORM, payload, exclusive=alone)
        if self._careful:
            self._to[future] = hosts[0].name
        return future

    def failed(self, future: Future[bytes], error: Exception) -> bool:
        if getattr(error, "kind", "") == DEADLY:
            return False
        self._careful = True
        name = getattr(error, "name", "") or self._to.get(future, "")
        told = str(error) if str(error).startswith(name) else f"{name}: {error}"
        if not name:
            told = f"one of {', '.join(host.name for host in self._hosts)}: {error}"
        if not self._failures[name]:
            self._news(f"{told}; asking again")
        self._failures[name] += 1
        others = [host for host in self._hosts if host.name != name]
        if self._failures[name] == FAILURES and others and len(others) < len(self._hosts):
            self._hosts = others
            self._left_out.append(f"{name}: its answers were of no use")
            self._news(f"{name}: asked no more, since its answers are of no use")
        return True


def ask(
    asked: Asked,
    fleet: Fleet,
    variables: Mapping[str, str],
    path: Sequence[str],
    news: News,
    *,
    counts_only: bool = False,
) -> None:
    """Every part in a thread of its own. Raises what ends the whole command: KeyboardInterrupt,
    SchedulerLost, a full disk; a group that is lost ends its own part only. All verdicts until then
    are in the files."""
    from loopgauge.conformance import session, store
    from loopgauge.harness.cli.verdict_progress import verdict_display
    from loopgauge.harness.cli.verdicts_shown import Shown
    from loopgauge.harness.errors import HostLost

    ended: queue.SimpleQueue[Part] = queue.SimpleQueue()

    def follow(part: Part) -> None:
        try:
            with store.Writer(part.path) as writer:
                session.run(part.request, part.asking, writer, part.shown, part.earlier)
        except BaseException as error:
            part.error = error
        ended.put(part)

    def stop() -> None:
        for part in asked.parts:
            part.asking.stop()

    with verdict_display(counts_only=counts_only, together=True) as display:
        news.tell = display.say
        for part in asked.parts:
            whose = part.group.name if len(asked.parts) > 1 else ""
            part.shown = Shown(part.earlier, display=display, whose=whose)
            part.asking = elsewhere(part.group, fleet, variables, path, news, asked.left_out)
        for part in asked.parts:
            threading.Thread(target=follow, args=(part,), daemon=True).start()
        errors: list[BaseException] = []
        left = len(asked.parts)
        while left:
            try:
                part = ended.get()
            except KeyboardInterrupt as error:
                errors.append(error)
                stop()
                continue
            left -= 1
            if isinstance(part.error, HostLost):
                part.shown.left_out.append(str(part.error))
                display.say(f"left out: {part.error}")
            elif part.error is not None:
                errors.append(part.error)
                stop()
    if errors:
        raise errors[0]


def exit_code(asked: Asked) -> ExitCode:
    codes = {part.shown.exit_code(part.request.header) for part in asked.parts}
    if ExitCode.CONFORMANCE in codes:
        return ExitCode.CONFORMANCE
    return ExitCode.LEFT_OUT if asked.left_out or codes != {ExitCode.OK} else ExitCode.OK


def run(
    place: Place,
    wanted: Wanted,
    *,
    what: Sequence[str] = (),
    only: frozenset[str] | None = None,
    repeat: int = 1,
    earlier: Results | None = None,
    own: Mapping[str, Path] | None = None,
    begin: bool = False,
    variables: Mapping[str, str] | None = None,
    single: Mapping[str, Path | None] | None = None,
    counts_only: bool = False,
) -> Asked:
    """A whole run on a cluster, or the rest of `earlier`. `own`: expectation files by loop, to be
    begun with `begin`. `single`: by option, the files of which there can be one only, `--out` among
    them."""
    from loopgauge.harness.cli import questions
    from loopgauge.harness.cli.errors import termination_as_interrupt
    from loopgauge.harness.cli.runs import import_from_here
    from loopgauge.harness.cli.verdicts_shown import say_what_is_kept

    # A folder of ours means nothing on another machine: there code travels by wheel.
    wanted.path = [str(import_from_here())] if place.local_workers else []
    news = News()
    with termination_as_interrupt(), surveyed(place, wanted, news) as (fleet, groups, left_out):
        if earlier is not None:
            parts = [part_to_resume(groups, earlier)]
        else:
            parts = parts_of(groups, what, repeat, only)
        refuse_several(parts, single or {})
        for part in parts:
            questions.expect(part.request, own or {}, begin=begin)
        asked = Asked(parts, left_out)
        try:
            ask(asked, fleet, variables or {}, wanted.path, news, counts_only=counts_only)
        except BaseException:
            for part in parts:
                if part.path.exists():
                    say_what_is_kept(part.path, on=place.address)
            raise
    return asked


def refuse_several(parts: Sequence[Part], single: Mapping[str, Path | None]) -> None:
    """Raises Problem where one file would have to hold what several groups say."""
    given = [option for option, path in single.items() if path is not None]
    if given and len(parts) > 1:
        kinds = "; ".join(
            f"{part.group.name}: {', '.join(host.name for host in part.group.hosts)}"
            for part in parts
        )
        raise Problem(
            ExitCode.USAGE,
            f"{given[0]} is one file, and these hosts make {len(parts)} results ({kinds})",
            f"Leave out {given[0]}, or start workers of one Python only",
        )
    for part in parts:
        part.path = single.get("--out") or part.path
        if part.earlier is None and part.path.exists() and part.path.stat().st_size:
            raise Problem(
                ExitCode.USAGE, f"{part.path} holds something already", "Name another --out"
            )


def show(
    place: Place,
    asked: Asked,
    code: ExitCode,
    *,
    as_json: bool,
    junit: Path | None,
    badge: Path | None,
    report: str | None,
) -> None:
    """Result by result, as on one machine; what goes on, and how."""
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.cli.runs import shown
    from loopgauge.harness.cli.verdicts_shown import how_to_go_on, present, told

    read = [told(part.path, part.shown.left_out, None) for part in asked.parts]
    if as_json:
        print_json(
            {
                "schema": 1,
                "kind": "conformance-fleet",
                "exit_code": int(code),
                "left_out": asked.left_out,
                "results": [summary for _, summary in read],
            }
        )
    for part in asked.parts:
        left_out = part.shown.left_out
        present(part.path, quiet=as_json, junit=junit, badge=badge, left_out=left_out)
    if report is not None:
        from loopgauge.harness.cli.matrix import make_site

        folder = Path(report) if report else asked.parts[0].path.with_suffix("")
        page = make_site([results for results, _ in read], folder)
        click.echo(f"report: {shown(page)}", err=True)
    for part, (_, summary) in zip(asked.parts, read, strict=True):
        if not summary.complete:
            click.echo(how_to_go_on(part.path, on=place.address), err=True)
