"""A fleet whose hosts are this process: calls are performed by threads, and may be told to fail."""

from __future__ import annotations

import copy
import importlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import cast

from loopgauge.harness.fleet.fleet import Fleet
from loopgauge.harness.fleet.hosts import Host, HostFacts, LeftOut, host_key
from loopgauge.harness.model import Interpreter, Machine
from loopgauge.harness.request import RunRequest
from loopgauge.harness.runner import Local
from loopgauge.harness.subject import Subject
from manager_testing.runs import FAKE_WORKER

Deed = Callable[[str, str], None]  # host name and function, before it is performed


class StandIn:
    def __init__(self, names: Sequence[str], deed: Deed = lambda name, function: None) -> None:
        self.hosts = [host(name) for name in names]
        self.left_out: list[LeftOut] = []
        self.deed = deed
        self.called: list[tuple[str, str]] = []

    def submit(
        self, hosts: Sequence[Host], function: str, payload: bytes, *, exclusive: bool
    ) -> Future[bytes]:
        future: Future[bytes] = Future()
        (where,) = hosts
        threading.Thread(
            target=self._perform, args=(future, where.name, function, payload), daemon=True
        ).start()
        return future

    def _perform(self, future: Future[bytes], name: str, function: str, payload: bytes) -> None:
        module, _, attribute = function.partition(":")
        if not future.set_running_or_notify_cancel():
            return
        try:
            self.called.append((name, attribute))
            self.deed(name, attribute)
            answer = getattr(importlib.import_module(module), attribute)(payload)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(answer)

    @property
    def fleet(self) -> Fleet:
        return cast(Fleet, self)


def host(name: str) -> Host:
    facts = HostFacts(
        machine=Machine(cpu_model="some CPU"),
        interpreter=Interpreter(executable="python", version="3"),
        boot_id=name,
        source="",
    )
    return Host(key=host_key(facts), name=name, facts=facts, executable="python")


class Scripted(Local):
    """A host's own runner, with the scripted worker as its worker program."""

    def __init__(self) -> None:
        super().__init__(FAKE_WORKER)

    def resolve(self, request: RunRequest) -> Subject:
        """Asked of the interpreter once: that takes longer than everything else."""
        key = str((request.benchmarks, request.arms, request.tiers))
        if key not in _resolved:
            _resolved[key] = super().resolve(request)
        return copy.deepcopy(_resolved[key])


_resolved: dict[str, Subject] = {}
