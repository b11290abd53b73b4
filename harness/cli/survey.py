"""What a host says before it is asked for verdicts: its Python, its loops, its questions. `tell` is
called there by its agent, with JSON in and JSON out; the rest is what the command makes of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from loopgauge.conformance import lanes
from loopgauge.conformance.lanes import LaneMissing, Question
from loopgauge.conformance.model import Header, Lane, Subject
from loopgauge.conformance.runner.messages import Target

TELL = "loopgauge.harness.cli.survey:tell"


class Wanted(msgspec.Struct, kw_only=True):
    """`loops` by name, or `all` that are known there; with `stock`, asyncio before them. `path`:
    where modules are found there, first."""

    lanes: list[Lane]
    loops: list[str]
    stock: bool = True
    path: list[str] = []


class Survey(msgspec.Struct, kw_only=True):
    """`header` has the subjects; `targets` belong to them, in the same order. `questions`: by lane,
    or why there are none. Those of our rules are the same everywhere, and not sent."""

    header: Header
    targets: list[Target]
    questions: dict[Lane, list[Question] | str]


def tell(payload: bytes) -> bytes:
    """Wanted -> Survey."""
    from loopgauge.harness.cli.questions import new_header

    wanted = msgspec.json.decode(payload, type=Wanted)
    made = Survey(header=new_header(wanted.lanes, []), targets=[], questions={})
    with looking_in(wanted.path):
        for name in names(wanted):
            subject, target = about(name)
            made.header.subjects.append(subject)
            made.targets.append(target)
    for lane in wanted.lanes:
        if lane != "rules":
            made.questions[lane] = questions(lane)
    return msgspec.json.encode(made)


@contextmanager
def looking_in(path: list[str]) -> Iterator[None]:
    before = sys.path[:]
    sys.path[:0] = path
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def names(wanted: Wanted) -> list[str]:
    from loopgauge.conformance.session import STOCK
    from loopgauge.loops.registry import known_loops

    found = [*known_loops()] if "all" in wanted.loops else wanted.loops
    return [*dict.fromkeys([STOCK, *found] if wanted.stock else found)]


def about(name: str) -> tuple[Subject, Target]:
    """A loop that is unknown there is not available there."""
    from loopgauge.harness.cli.questions import subject_of
    from loopgauge.loops.registry import UnknownLoop, resolve

    try:
        return subject_of(resolve(name))
    except UnknownLoop as error:
        subject = Subject(loop=name, factory="", available=False, reason=str(error))
        return subject, Target(name=name, factory="")


def questions(lane: Lane) -> list[Question] | str:
    try:
        return lanes.lane_module(lane).questions(sys.version_info[:3])
    except LaneMissing as error:
        return str(error)


def believed(host: str, data: bytes, wanted: Wanted) -> Survey:
    """What the host `host` has sent, as far as it can be true. Raises NonsenseFromHost."""
    from loopgauge.harness.fleet.believing import clean, decoded, nonsense

    found = clean(decoded(host, data, Survey))
    said = [subject.loop for subject in found.header.subjects]
    if [target.name for target in found.targets] != said:
        raise nonsense(host, "loops that it cannot make")
    if len({*said}) != len(said) or ("all" not in wanted.loops and said != names(wanted)):
        raise nonsense(host, "other loops than were asked for")
    if found.header.lanes != wanted.lanes or found.questions.keys() != {*wanted.lanes} - {"rules"}:
        raise nonsense(host, "other lanes than were asked for")
    for lane, listed in found.questions.items():
        ids = [] if isinstance(listed, str) else [question.id for question in listed]
        if len({*ids}) != len(ids) or not all(id.startswith(f"{lane}:") for id in ids):
            raise nonsense(host, f"questions that are not of the lane {lane}")
    if "rules" in wanted.lanes:
        found.questions["rules"] = questions("rules")
    return found


def kind(survey: Survey) -> bytes:
    """What hosts have in common whose verdicts may stand in one file: all but the kernel."""
    header = msgspec.structs.replace(survey.header, created="", kernel="")
    asked = {
        lane: found if isinstance(found, str) else [question.id for question in found]
        for lane, found in survey.questions.items()
    }
    return msgspec.json.encode((header, survey.targets, asked))
