"""Calls on their way, and who watches over them.

A call is a Dask task that may run on the workers of its hosts. Dask runs it again when its worker
dies. Only when a host comes back under another address is the task made anew, because Dask ties it
to addresses. Each call is answered once.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loopgauge.harness.errors import CallFailed, FleetError, HostLost
from loopgauge.harness.fleet import envelope
from loopgauge.harness.fleet.hosts import Host, WorkerSeen
from loopgauge.harness.fleet.place import Place
from loopgauge.harness.fleet.roll_call import addresses, muster

if TYPE_CHECKING:
    from loopgauge.harness.fleet.connection import Connection

LOOK_S = 0.5  # between two looks at who is there
FAREWELL_S = 5.0  # for workers to end what they do for us; they do so by themselves, a little later
# A call whose agent died (the kernel was out of memory, somebody killed it) is tried so often.
ATTEMPTS = 3
# An answer can be lost with its worker on the way; one that never arrives is no accident.
LOST_MOST = 10
WORDS_MOST = 2000  # characters of what a host says went wrong
AGAIN = frozenset({"Died", "Unwanted"})


@dataclass(eq=False)
class _Call:
    hosts: list[Host]
    function: str
    payload: bytes
    exclusive: bool
    future: Future[bytes] = field(default_factory=Future)
    on: list[Host] = field(default_factory=list)  # where its task may run now
    task: Any = None
    sent_to: set[str] = field(default_factory=set)
    attempts: int = 0


class Calls:
    """Owns two threads: one hands out answers, the other looks who is there. `seen`: addresses of
    all workers that have been asked already, whether they are used or not."""

    def __init__(
        self,
        connection: Connection,
        session: str,
        hosts: list[Host],
        seen: Collection[str],
        place: Place,
        told: Callable[[str], None],
        patience_s: float,
    ) -> None:
        self._connection = connection
        self._session = session
        self._place = place
        self._hosts = hosts
        self._told = told
        self._patience_s = patience_s
        self._lock = threading.RLock()
        self._open: list[_Call] = []
        self._measuring: dict[str, _Call] = {}  # by boot id: the one exclusive call of a machine
        self._gone: dict[str, float] = {}  # host key -> since when it has no worker
        self._known = {*seen}  # and whoever is being asked
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._over: Exception = FleetError("the fleet is closed")  # what later calls are told
        self._waited: set[str] = set()  # hosts of which it was said already
        connection.listen(session, self._waits)
        for work in (self._hand_out, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def submit(
        self, hosts: Sequence[Host], function: str, payload: bytes, *, exclusive: bool
    ) -> Future[bytes]:
        call = _Call([*hosts], function, payload, exclusive)
        call.future.add_done_callback(lambda future: self._forget(call))
        with self._lock:
            self._open.append(call)
            if self._closing.is_set():
                _fail(call, self._over)
            else:
                self._start_what_can()
        return call.future

    def close(self) -> None:
        """Ends what still runs for this session, here and on the hosts."""
        with self._lock:
            self._closing.set()
            calls = [*self._open]
        self._done.put(None)
        for call in calls:
            call.future.cancel()
        if self._connection.alive():
            with contextlib.suppress(FleetError):
                self._connection.ask(
                    addresses(self._hosts), "end", self._session, within_s=FAREWELL_S
                )

    def _waits(self, address: str) -> None:
        """Without a lock: Dask's thread must not wait for somebody who waits for it."""
        for host in self._hosts:
            if address in host.workers and host.key not in self._waited:
                self._waited.add(host.key)
                self._told(f"{host.name}: waits for its machine, where something else is running")

    def _start_what_can(self) -> None:
        """Whoever waits for its machine, in the order of asking."""
        for call in [] if self._closing.is_set() else [*self._open]:
            if call.task is None and not call.future.done():
                call.on = self._free(call)
                if where := sorted(addresses(call.on)):
                    self._start(call, where)

    def _free(self, call: _Call) -> list[Host]:
        present = [host for host in call.hosts if host.workers]
        if not call.exclusive:
            return present
        for host in present:
            if self._measuring.get(host.facts.boot_id, call) is call:
                self._measuring[host.facts.boot_id] = call
                return [host]
        return []

    def _start(self, call: _Call, where: list[str]) -> None:
        call.sent_to = set(where)
        share = 1.0 if call.exclusive else 0.999 / max(host.threads for host in call.on)
        request = envelope.request(
            call.function,
            call.payload,
            lock="exclusive" if call.exclusive else "shared",
            session=self._session,
        )
        try:
            call.task = self._connection.start(where, share, request, self._done.put)
        except FleetError as error:
            self._give_up(error)

    def _forget(self, call: _Call) -> None:
        """It is answered, or nobody wants the answer: Dask drops it, and its machine is free."""
        with self._lock:
            self._take_back(call)
            if call in self._open:
                self._open.remove(call)
            self._start_what_can()

    def _take_back(self, call: _Call) -> None:
        if call.task is not None:
            call.task.release()
            call.task = None
        for boot, one in [*self._measuring.items()]:
            if one is call:
                del self._measuring[boot]

    def _hand_out(self) -> None:
        """Each answer is fetched in a thread of its own: a worker that keeps us waiting keeps
        nobody else waiting."""
        while (task := self._done.get()) is not None:
            with self._lock:
                call = next((one for one in self._open if one.task is task), None)
            if call is not None:
                threading.Thread(target=self._settle, args=(call, task), daemon=True).start()

    def _settle(self, call: _Call, task: Any) -> None:
        from loopgauge.harness.fleet.connection import DiedTooOften

        try:
            data = self._connection.answer(task)
        except DiedTooOften:
            reason = "the workers died of it, one after the other"
            self._refuse(call, task, CallFailed(call.on[0].name, "DiedTooOften", reason))
            return
        except Exception as error:
            if self._connection.alive():  # otherwise the watch says that the scheduler is lost
                said = str(error) or type(error).__name__
                reason = f"its answer cannot be used: {said[:WORDS_MOST]}"
                self._refuse(call, task, CallFailed(self._name(call, task), "Garbage", reason))
            return
        if data is None:
            if call.attempts + 1 < LOST_MOST:
                self._again(call, task)
            else:
                reason = f"its answer was lost {LOST_MOST} times"
                self._refuse(call, task, CallFailed(self._name(call, task), "Garbage", reason))
            return
        answer = envelope.parse(data)
        if answer.ok:
            with contextlib.suppress(InvalidStateError):  # cancelled meanwhile
                call.future.set_result(answer.payload)
        elif answer.kind in AGAIN and call.attempts + 1 < ATTEMPTS:
            self._again(call, task)
        else:
            name = self._name(call, task)
            words = answer.words[:WORDS_MOST]
            self._refuse(call, task, CallFailed(name, answer.kind, words, answer.trace))

    def _name(self, call: _Call, task: Any) -> str:
        """Of the host that the answer came from."""
        where = self._connection.holder(task) if len(call.on) > 1 else ""
        return next((host.name for host in call.on if where in host.workers), call.on[0].name)

    def _again(self, call: _Call, task: Any) -> None:
        with self._lock:
            if call.task is not task:  # begun anew already, because its worker is gone
                return
            call.attempts += 1
            self._take_back(call)
            self._start_what_can()

    def _refuse(self, call: _Call, task: Any, error: Exception) -> None:
        with self._lock:
            if call.task is task:
                _fail(call, error)

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_S):
            try:
                self._look()
            except FleetError as error:
                if not self._closing.is_set():
                    self._give_up(error)
                return

    def _look(self) -> None:
        from loopgauge.harness.fleet.connection import lost

        if not self._connection.alive():
            raise lost()
        workers = {worker.address: worker for worker in self._connection.workers()}
        self._drop_missing(set(workers))
        if new := [workers[address] for address in workers.keys() - self._known]:
            self._known |= {worker.address for worker in new}
            # In a thread of its own: one that does not answer is waited for a minute.
            threading.Thread(target=self._welcome, args=(new,), daemon=True).start()
        with self._lock:
            self._move_stranded()
            self._start_what_can()
            self._lose_patience(time.monotonic())

    def _drop_missing(self, present: set[str]) -> None:
        with self._lock:
            self._known &= present
            for host in self._hosts:
                missing = [address for address in host.workers if address not in present]
                if not missing:
                    continue
                host.workers = [address for address in host.workers if address in present]
                left = len(host.workers)
                what = f"{left} left" if left else f"waiting {self._patience_s:g} s for another"
                self._told(f"{host.name}: lost a worker; {what}")

    def _welcome(self, workers: Sequence[WorkerSeen]) -> None:
        """New workers of hosts that we know. A machine that joins now is of no use to a plan that
        was made without it."""
        found: list[Host] = []
        with contextlib.suppress(FleetError):  # the watch says that the scheduler is lost
            muster(self._connection, self._session, workers, found, self._place, self._told)
        for one in found:
            host = next((host for host in self._hosts if host.key == one.key), None)
            if host is None:
                self._told(f"{one.name}: joined too late, and is not used")
                continue
            with self._lock:
                host.workers = sorted({*host.workers, *one.workers})
            self._told(f"{host.name}: has another worker")

    def _move_stranded(self) -> None:
        """Calls that are tied to addresses which are all gone."""
        alive = addresses(self._hosts)
        for call in self._open:
            if call.task is not None and not call.sent_to & alive:
                self._take_back(call)

    def _lose_patience(self, now: float) -> None:
        for host in self._hosts:
            if host.workers:
                self._gone.pop(host.key, None)
            else:
                self._gone.setdefault(host.key, now)
        lost = {key for key, since in self._gone.items() if now - since >= self._patience_s}
        for call in [*self._open]:
            if all(host.key in lost for host in call.hosts):
                _fail(call, host_lost(call.hosts, self._patience_s))

    def _give_up(self, error: FleetError) -> None:
        with self._lock:
            self._over = error
            self._closing.set()
            calls = [*self._open]
        for call in calls:
            _fail(call, error)


def host_lost(hosts: Iterable[Host], patience_s: float) -> HostLost:
    name = ", ".join(host.name for host in hosts)
    return HostLost(
        name,
        f"{name} has had no worker for {patience_s:g} s",
        "Start it again, and go on with --resume",
    )


def _fail(call: _Call, error: Exception) -> None:
    with contextlib.suppress(InvalidStateError):
        call.future.set_exception(error)
