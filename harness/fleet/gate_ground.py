"""A host of a fleet as the ground of a gate (harness/gate/ground.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from loopgauge.harness import subject as subjects
from loopgauge.harness.counted import Counted
from loopgauge.harness.explained import Explanation
from loopgauge.harness.fleet import believing, gate_work
from loopgauge.harness.fleet.believing import Answer
from loopgauge.harness.fleet.remote import Remote
from loopgauge.harness.gate import explaining
from loopgauge.harness.gate.ground import variant
from loopgauge.harness.gate.model import GateHeader, Side
from loopgauge.harness.gate.subject import BASE, HEAD, TWIN
from loopgauge.harness.model import AnyRecord, Event, Header
from loopgauge.harness.orders import Order
from loopgauge.harness.pairs import Pair
from loopgauge.harness.request import Progress
from loopgauge.harness.runner import Runner
from loopgauge.harness.subject import Python, Subject
from loopgauge.harness.verdicts import verdicts_in
from loopgauge.harness.worker.plan import AnyMessage
from loopgauge.harness.worker_process import Outcome

if TYPE_CHECKING:
    from loopgauge.harness.fleet.fleet import Fleet
    from loopgauge.harness.fleet.hosts import Host

WORK = "loopgauge.harness.fleet.gate_work"


class SideRemote(Remote):
    """Knows which Python of the host a side's name stands for: its files name no path of a host.
    Whatever has no Python of its own lives in the agent's."""

    def __init__(self, fleet: Fleet, host: Host, pythons: Mapping[str, str]) -> None:
        super().__init__(fleet, host)
        self._pythons = pythons

    def said(self, function: str, call: Any, kind: type[Answer]) -> Answer:
        """What `module:function` says there, as something of this kind."""
        data = self._answer(function, msgspec.json.encode(call))
        return believing.decoded(self.host.name, data, kind)

    def python(self, executable: str) -> str:
        return self._pythons.get(executable, executable)

    def ask(self, executable: str, loops: Sequence[str], path: Sequence[str]) -> Python:
        found = super().ask(self.python(executable), loops, path)
        found.interpreter.executable = executable
        return found

    def run(
        self,
        orders: Sequence[Order],
        listeners: Sequence[Callable[[AnyMessage], None]],
        started: Sequence[Callable[[int], None]],
    ) -> list[Outcome]:
        there = [msgspec.structs.replace(one, python=self.python(one.python)) for one in orders]
        return super().run(there, listeners, started)

    def count(
        self,
        tier: Counted,
        header: Header,
        pairs: Sequence[Pair],
        record: Callable[[Event], None],
        at: Callable[[str, str], None],
    ) -> Iterator[list[AnyRecord]]:
        interpreters = {
            key: msgspec.structs.replace(one, executable=self.python(one.executable))
            for key, one in header.environment.interpreters.items()
        }
        environment = msgspec.structs.replace(header.environment, interpreters=interpreters)
        there = msgspec.structs.replace(header, environment=environment)
        return super().count(tier, there, pairs, record, at)


class There:
    """`pythons`: by side's name, the interpreter of the environment that was made for it."""

    def __init__(self, fleet: Fleet, host: Host, pythons: Mapping[str, str]) -> None:
        self.remote = SideRemote(fleet, host, pythons)
        self.runner: Runner = self.remote
        self._pythons = pythons
        self._name = host.name

    def clock(self) -> float:
        return self.remote.clock()

    def require_builds(self, header: GateHeader) -> None:
        """They are made anew, or found by their hash, before the gate goes on."""

    def check(self, base: Side, head: Side, targets: Sequence[str]) -> gate_work.Checks:
        """Both sides, known to hold their loops. Raises CallFailed with what is wrong."""
        call = gate_work.CheckCall(
            base=self._there(base), head=self._there(head), targets=[*targets]
        )
        said = self.remote.said(f"{WORK}:check", call, gate_work.Checks)
        base, head = msgspec.structs.replace(base), msgspec.structs.replace(head)
        for ours, theirs in ((base, said.base), (head, said.head)):
            ours.version = believing.text(theirs.version)
            ours.content = believing.text(theirs.content)
        return msgspec.structs.replace(
            believing.clean(said),
            base=base,
            head=head,
            on_base=[name for name in said.on_base if name in targets],
            on_head=[name for name in said.on_head if name in targets],
        )

    def subject(self, header: GateHeader) -> Subject:
        call = gate_work.SubjectCall(header=self._at_home(header))
        said = self.remote.said(f"{WORK}:subject", call, Subject)
        return self._believed(said, header)

    def _believed(self, said: Subject, header: GateHeader) -> Subject:
        wanted = {BASE: header.base, HEAD: header.head, TWIN: header.base}
        roles = {BASE: "reference", HEAD: "candidate", TWIN: "aa"}
        if [(arm.label, arm.loop, arm.role) for arm in said.arms] != [
            (label, side.loop, roles[label]) for label, side in wanted.items()
        ]:
            raise believing.nonsense(self._name, "other arms than were asked for")
        interpreters = said.environment.interpreters
        if any(arm.python not in interpreters for arm in said.arms):
            raise believing.nonsense(self._name, "an arm without a Python")
        shared = said.arms[0].python == said.arms[1].python
        design = None if shared else "process"
        if said.design != design:
            raise believing.nonsense(self._name, "another design than follows from its Pythons")
        own = [subjects.describe(*variant(name)) for name in header.benchmarks]
        kept = [msgspec.structs.replace(one, floor=False, native=False) for one in own]
        if design is not None:
            kept = [msgspec.structs.replace(one, design=design) for one in kept]
        cleaned = believing.clean(said)
        for arm in cleaned.arms:
            cleaned.environment.interpreters[arm.python].executable = wanted[arm.label].executable
        return replace(cleaned, benchmarks=kept)

    def promises(self, header: GateHeader, folder: Path, say: Callable[[str], None]) -> None:
        say("asking both sides which promises they keep")
        files = {
            name: (folder / name).read_text(encoding="utf-8")
            for name in gate_work.PROMISES
            if (folder / name).exists()
        }
        call = gate_work.PromisesCall(header=self._at_home(header), files=files)
        said = self.remote.said(f"{WORK}:compare_promises", call, gate_work.Files)
        if set(said.files) - {*gate_work.PROMISES}:
            raise believing.nonsense(self._name, "files that nobody asked for")
        for name, text in said.files.items():
            if name not in files:
                self._keep(folder / name, text)

    def _keep(self, path: Path, text: str) -> None:
        """What it says of promises, read as we read it later."""
        part = path.with_suffix(".part")
        part.write_bytes(b"".join(self._cleaned_lines(text)))
        list(verdicts_in(part))
        part.rename(path)

    def _cleaned_lines(self, text: str) -> Iterator[bytes]:
        for line in text.splitlines():
            record = believing.decoded(self._name, line.encode(), dict[str, object])
            yield msgspec.json.encode(believing.clean(record)) + b"\n"

    def explain(
        self,
        header: GateHeader,
        subject: Subject,
        names: Sequence[str],
        path: Path,
        listener: Callable[[Progress], None],
    ) -> None:
        told = path.read_text(encoding="utf-8") if path.exists() else ""
        call = gate_work.ExplainCall(header=self._at_home(header), names=[*names], told=told)
        said = self.remote.said(f"{WORK}:explain", call, gate_work.Files)
        found = [
            believing.clean(believing.decoded(self._name, line.encode(), Explanation))
            for line in said.files.get(explaining.FILE, "").splitlines()
        ]
        if any(one.benchmark.id not in names for one in found):
            raise believing.nonsense(self._name, "an explanation of something else")
        for one in found:
            one.python.executable = ""
        path.write_bytes(b"".join(map(explaining.line_of, found)))

    def _at_home(self, header: GateHeader) -> GateHeader:
        return msgspec.structs.replace(
            header, base=self._there(header.base), head=self._there(header.head)
        )

    def _there(self, side: Side) -> Side:
        return msgspec.structs.replace(side, executable=self.remote.python(side.executable))
