"""Many files read and judged at once, by processes of their own: a file takes a fifth of a second
of CPU. The store takes one after the other."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from loopgauge.harness.errors import NothingToMeasure, RunFileError, WorkerUnusable
from loopgauge.harness.history.model import StoredRun
from loopgauge.harness.history.reading import read
from loopgauge.harness.worker_process import end_with_parent

AHEAD = 3  # files that each process may be ahead of the store: bounds the memory
WORTH_IT = 8  # with fewer files, starting a process takes longer than it saves

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[StoredRun])


@dataclass
class Reading:
    """What is in a file or gate, or what is wrong with it."""

    source: Path
    runs: list[StoredRun] = field(default_factory=list)
    problem: str = ""


def read_many(sources: Iterable[Path], commit: str, jobs: int) -> Iterator[Reading]:
    """In their order. Raises WorkerUnusable where a process was killed."""
    if jobs <= 1:
        for source in sources:
            yield _one(source, commit)
        return
    # Not forked: a connection to a database would have two owners.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _start)
    try:
        yield from _ordered(pool, sources, commit, jobs * AHEAD)
    except BrokenProcessPool as error:
        raise WorkerUnusable(
            "a process that read a file was killed, perhaps because memory was short",
            "Everything imported before is stored: read one at a time with --jobs 1",
        ) from error
    except BaseException:  # an interruption, too: nobody needs the files in hand
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _ordered(
    pool: ProcessPoolExecutor, sources: Iterable[Path], commit: str, ahead: int
) -> Iterator[Reading]:
    under_way: deque[tuple[Path, Future[tuple[bytes, str]]]] = deque()
    for source in sources:
        under_way.append((source, pool.submit(_packed, source, commit)))
        if len(under_way) >= ahead:
            yield _unpacked(*under_way.popleft())
    while under_way:
        yield _unpacked(*under_way.popleft())


def _one(source: Path, commit: str) -> Reading:
    try:
        return Reading(source, read(source, commit))
    except (RunFileError, NothingToMeasure) as error:
        where = "" if str(source) in error.cause else f"{source}: "
        words = " ".join(f"{part}." for part in (error.cause, error.cure) if part)
        return Reading(source, problem=where + words)


def _packed(source: Path, commit: str) -> tuple[bytes, str]:
    """Packed by msgspec in a fifth of the time that pickle takes for three hundred entries."""
    reading = _one(source, commit)
    return _encoder.encode(reading.runs), reading.problem


def _unpacked(source: Path, answer: Future[tuple[bytes, str]]) -> Reading:
    data, problem = answer.result()
    return Reading(source, _decoder.decode(data), problem)


def _start() -> None:
    """Ctrl-C goes to the whole group: the parent deals with it, and ends the others. Nobody is left
    behind where it cannot."""
    end_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
