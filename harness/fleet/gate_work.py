"""What a gate asks of a host: functions that an agent calls there, with JSON in and JSON out. They
do what harness/gate does on one machine. An executable of "" is the agent's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from loopgauge.harness.fleet.host_work import names_alone, own
from loopgauge.harness.gate import explaining, promises, sides
from loopgauge.harness.gate.ground import subject_of
from loopgauge.harness.gate.model import GateHeader, Side
from loopgauge.harness.subject import Subject

PROMISES = tuple(
    name.format(side) for name in (promises.FIRST, promises.AGAIN) for side in ("base", "head")
)


class CheckCall(msgspec.Struct, kw_only=True):
    """`targets`: coroutine functions that either side may have, module:attribute."""

    base: Side
    head: Side
    targets: list[str]


class Checks(msgspec.Struct, kw_only=True):
    """Both sides with what only the host can say of them; what a reader has to know; and the
    targets that each has."""

    base: Side
    head: Side
    remarks: list[str]
    on_base: list[str]
    on_head: list[str]


class SubjectCall(msgspec.Struct, kw_only=True):
    header: GateHeader


class PromisesCall(msgspec.Struct, kw_only=True):
    """`files`: those of an earlier session, by name; they are not asked for again."""

    header: GateHeader
    files: dict[str, str]


class ExplainCall(msgspec.Struct, kw_only=True):
    """`told`: the file as far as it is there."""

    header: GateHeader
    names: list[str]
    told: str


class Files(msgspec.Struct, kw_only=True):
    files: dict[str, str]


def check(payload: bytes) -> bytes:
    """CheckCall -> Checks. Raises SideUnusable and InterpreterUnusable."""
    call = msgspec.json.decode(payload, type=CheckCall)
    for side in (call.base, call.head):
        side.executable = side.executable or own()
    old, new = sides.checked(call.base), sides.checked(call.head)
    answer = Checks(
        base=old.side,
        head=new.side,
        remarks=sides.remarks(old, new),
        on_base=sorted(sides.targets(old.side, call.targets)),
        on_head=sorted(sides.targets(new.side, call.targets)),
    )
    return msgspec.json.encode(answer)


def subject(payload: bytes) -> bytes:
    """SubjectCall -> Subject."""
    call = msgspec.json.decode(payload, type=SubjectCall)
    found: Subject = subject_of(at_home(call.header))
    variables = found.environment.variables
    found.environment.variables = {name: names_alone(value) for name, value in variables.items()}
    return msgspec.json.encode(found)


def compare_promises(payload: bytes) -> bytes:
    """PromisesCall -> Files."""
    call = msgspec.json.decode(payload, type=PromisesCall)
    header = at_home(call.header)
    with work_folder(call.files) as folder:
        promises.compare(header.base, header.head, header.settings, folder, lambda line: None)
        made = {name: (folder / name).read_text() for name in PROMISES if (folder / name).exists()}
    return msgspec.json.encode(Files(files=made))


def explain(payload: bytes) -> bytes:
    """ExplainCall -> Files."""
    call = msgspec.json.decode(payload, type=ExplainCall)
    with work_folder({explaining.FILE: call.told} if call.told else {}) as folder:
        path = folder / explaining.FILE
        explaining.explain(
            subject_of(at_home(call.header)), call.names, path, lambda progress: None
        )
        made = {explaining.FILE: path.read_text()} if path.exists() else {}
    return msgspec.json.encode(Files(files=made))


def at_home(header: GateHeader) -> GateHeader:
    for side in (header.base, header.head):
        side.executable = side.executable or own()
    return header


@contextmanager
def work_folder(files: dict[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="loopgauge-gate-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / Path(file).name).write_text(text, encoding="utf-8")
        yield folder
