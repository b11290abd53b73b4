"""The command's end of a Dask cluster. The one module that imports `distributed` on this side.

Only bytes are taken from workers, and no pickle of theirs is opened here as far as Dask lets us:
results are asked for as msgpack, and an error that a worker reports is told by its kind alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import uuid
import warnings
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, Security
from distributed.protocol import pickle

from loopgauge.harness.errors import NoScheduler, SchedulerLost
from loopgauge.harness.fleet import sending
from loopgauge.harness.fleet.believing import MOST_BYTES
from loopgauge.harness.fleet.hosts import WorkerSeen, display_name
from loopgauge.harness.fleet.place import DASK, Place, Tls

CONNECT_S = 10.0
SCHEDULER_S = 60.0  # a scheduler that is silent for so long is lost
WORKER_S = 20.0  # for a worker's event loop to get to a question
GATHER_S = 120.0  # for the bytes of one answer to arrive
RESOURCE = "loopgauge"
# What Dask's own machinery would do on a core that measures: look at the stacks of its threads a
# hundred times a second.
QUIET_WORKERS = {"distributed.worker.profile.enabled": False}


class DiedTooOften(Exception):
    """Dask gave up: the task had been on four workers that died."""


class Refused(Exception):
    """A worker reports that the task raised. Ours never do."""


class _Client(Client):  # type: ignore[misc]
    def _handle_task_erred(
        self, key: Any = None, exception: Any = None, traceback: Any = None
    ) -> None:
        """The exception is a pickle made by a worker: it is not opened. One that the scheduler made
        because workers died names its class."""
        died = isinstance(exception, bytes | bytearray) and b"KilledWorker" in exception
        error = DiedTooOften() if died else Refused()
        super()._handle_task_erred(key, error, None)


class Connection:
    def __init__(self, client: Client) -> None:
        self._client = client

    def alive(self) -> bool:
        return bool(self._client.status == "running")

    def workers(self) -> list[WorkerSeen]:
        """Raises SchedulerLost."""
        with _or_lost():
            found = self._client.sync(
                self._client.scheduler.identity, n_workers=-1, callback_timeout=SCHEDULER_S
            )["workers"]
        return [
            WorkerSeen(
                address=address,
                name=display_name(worker["name"], address),
                threads=int(worker["nthreads"]),
                resources=dict(worker["resources"]),
            )
            for address, worker in found.items()
        ]

    def ask(
        self,
        workers: Collection[str],
        function: str,
        *arguments: Any,
        of: str = "bootstrap.py",
        within_s: float = WORKER_S,
    ) -> dict[str, Any]:
        """What a function of that file says on each of these workers, at once and beside whatever
        they do. Who does not answer is missing. Raises SchedulerLost."""
        message = {
            "op": "run",
            "function": pickle.dumps(eval),
            "args": pickle.dumps(sending.evaluation(function, *arguments, of=of)),
            "kwargs": pickle.dumps({}),
            "wait": True,
        }
        with _or_lost():
            answers = self._client.sync(self._ask_each, message, workers, within_s)
        return {
            address: answer["result"]
            for address, answer in answers.items()
            if isinstance(answer, dict) and answer.get("status") == "OK"
        }

    async def _ask_each(
        self, message: dict[str, Any], workers: Collection[str], within_s: float
    ) -> dict[str, Any]:
        """One by one, at the same time: a worker that is stopped would hold up all the others."""

        async def one(worker: str) -> Any:
            with contextlib.suppress(TimeoutError):
                answers = await asyncio.wait_for(
                    self._client.scheduler.broadcast(
                        msg=message, workers=[worker], on_error="return_pickle"
                    ),
                    within_s,
                )
                return answers.get(worker)
            return None

        return dict(zip(workers, await asyncio.gather(*map(one, workers)), strict=True))

    def listen(self, session: str, waiting: Callable[[str], None]) -> None:
        """`waiting` is given the address of each worker that has to wait for its machine, in
        Dask's thread."""

        def told(event: tuple[float, Any]) -> None:
            waiting(str(event[1]))

        self._client.subscribe_topic(f"loopgauge-{session}", told)

    def start(
        self, workers: Collection[str], share: float, request: bytes, done: Callable[[Future], None]
    ) -> Future:
        """A call by an agent, on any one of these workers. `share` of the resource is taken while
        it runs. Raises SchedulerLost."""
        with _or_lost(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large graph: the request may be some MB
            task = self._client.submit(
                eval,
                *sending.evaluation("call", request),
                key=f"loopgauge-{uuid.uuid4().hex}",
                workers=list(workers),
                allow_other_workers=False,
                resources={RESOURCE: share},
                pure=False,
            )
        task.add_done_callback(done)
        return task

    def answer(self, task: Future) -> bytes | None:
        """Of a task that is done; None where it was lost with its worker on the way. Raises
        DiedTooOften, Refused, or TimeoutError for a worker that keeps its answer to itself.

        Asked for by itself: Dask's own way fetches several at once, and one that is garbage would
        take the others with it. How large it is the worker says, which may lie about that, too."""
        if task.status == "error":
            raise task.exception(timeout=GATHER_S)
        if task.status != "finished":
            return None
        if (size := self._size(task)) > MOST_BYTES:
            raise Refused(f"it would send {size >> 20} MiB")
        found = self._client.sync(
            self._client.scheduler.gather, keys=[task.key], callback_timeout=GATHER_S
        )
        if found.get("status") != "OK":
            return None
        answer = found["data"].get(task.key)
        if not isinstance(answer, bytes):
            raise Refused(f"it sent something of type {type(answer).__name__}")
        return answer

    def _size(self, task: Future) -> int:
        """In bytes, as its worker says; 0 if unknown."""
        with contextlib.suppress(Exception):
            found = self._client.sync(
                self._client.scheduler.nbytes,
                keys=[task.key],
                summary=False,
                callback_timeout=CONNECT_S,
            )
            return int(found[task.key])
        return 0

    def holder(self, task: Future) -> str:
        """Address of a worker that has its answer, or one that it may be with; "" if unknown."""
        with contextlib.suppress(Exception):
            found = self._client.sync(
                self._client.scheduler.who_has, keys=[task.key], callback_timeout=CONNECT_S
            )
            return str(next(iter(found[task.key]), ""))
        return ""

    def close(self) -> None:
        self._client.close(timeout=5)


@contextlib.contextmanager
def connected(place: Place) -> Iterator[Connection]:
    """Raises NoScheduler."""
    with quiet(), contextlib.ExitStack() as stack:
        if place.local_workers:
            address: Any = stack.enter_context(started(place))
            security = None
        else:
            require_listener(place)
            address, security = place.scheduler, security_of(place.tls)
        client = client_of(address, security, place)
        connection = Connection(client)
        try:
            yield connection
        finally:
            connection.close()


def require_listener(place: Place) -> None:
    """Dask would try again for a while before it says that nobody listens."""
    host, _, port = place.address.removeprefix(DASK).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except OSError as error:
        raise no_scheduler(place, error.strerror or str(error)) from error


def client_of(address: Any, security: Security | None, place: Place) -> Client:
    try:
        return _Client(
            address,
            timeout=CONNECT_S,
            security=security,
            set_as_default=False,
            direct_to_workers=False,
            deserializers=["msgpack"],
            name="loopgauge",
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise no_scheduler(place, str(error.__cause__ or error) or "it says nothing") from error


def no_scheduler(place: Place, said: str) -> NoScheduler:
    others = "whether it asks for TLS" if place.tls is None else "the certificates"
    return NoScheduler(
        f"no Dask scheduler answers at {place.address} ({said.splitlines()[0][:200]})",
        f"Start one with `dask scheduler`, or check the address and {others}",
    )


def security_of(tls: Tls | None) -> Security | None:
    if tls is None:
        return None
    return Security(
        tls_ca_file=tls.ca,
        tls_client_cert=tls.cert,
        tls_client_key=tls.key,
        require_encryption=True,
    )


@contextlib.contextmanager
def local_cluster(workers: int) -> Iterator[LocalCluster]:
    """Workers in processes of their own; everything listens on the loopback alone.

    It starts in another thread: Ctrl-C would leave it half made, and such a one cannot be closed.
    The worker processes inherit from that thread that SIGINT is not for them: a terminal sends it
    to all processes of a command, and they are to be ended in order."""

    def make() -> LocalCluster:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        with dask.config.set(QUIET_WORKERS):
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                scheduler_port=0,
                dashboard_address=None,
                worker_dashboard_address=None,
                memory_limit=0,
                resources={RESOURCE: 1},
                silence_logs=logging.CRITICAL,
            )

    resource_tracker.ensure_running()  # whoever starts that has SIGINT unblocked by it
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(make)
        try:
            cluster = starting.result()
        except KeyboardInterrupt:
            with contextlib.suppress(Exception):
                starting.result().close(timeout=10)
            raise
    try:
        yield cluster
    finally:
        cluster.close(timeout=10)


@contextlib.contextmanager
def started(place: Place) -> Iterator[LocalCluster]:
    """Raises NoScheduler."""
    with contextlib.ExitStack() as stack:
        try:
            cluster = stack.enter_context(local_cluster(place.local_workers))
        except (RuntimeError, TimeoutError, OSError) as error:
            raise NoScheduler(
                f"the cluster of --on {place.address} does not start ({error})",
                "Is this machine very busy? Try again, or with fewer workers",
            ) from error
        yield cluster


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Dask tells of everything that happens to a cluster, and of every version that differs; what
    the user must know of it, the fleet says. Its configuration gives some loggers below
    "distributed" levels of their own."""
    names = [name for name in logging.Logger.manager.loggerDict if name.startswith("distributed.")]
    loggers = [logging.getLogger(name) for name in ("distributed", *names)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="distributed")
            warnings.filterwarnings("ignore", message="Mismatched versions")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _or_lost() -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, RuntimeError) as error:
        raise lost() from error


def lost() -> SchedulerLost:
    return SchedulerLost(
        "the connection to the Dask scheduler broke off",
        "Everything that had come back is kept; start the scheduler and go on with --resume",
    )
