"""What can go wrong in the harness and be cured by its user: each error names cause and cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopgauge.harness.fleet.hosts import LeftOut
    from loopgauge.harness.store import RunFile


class HarnessError(Exception):
    """`cause` says what happened, `cure` what to do about it (may be empty)."""

    def __init__(self, cause: str, cure: str = "") -> None:
        super().__init__(f"{cause}. {cure}" if cure else cause)
        self.cause = cause
        self.cure = cure


class NothingToMeasure(HarnessError):
    """No benchmark or no arm is left to measure."""


class Incomparable(NothingToMeasure):
    """Two results were measured in circumstances that make their figures incomparable."""


class WorkerUnusable(HarnessError):
    """The worker program itself cannot start: an installation or build problem, no loop's fault."""


class InterpreterUnusable(HarnessError):
    """A Python named by the user does not run or cannot import loopgauge."""


class BadSettings(HarnessError):
    """The project's settings hold a key that does not exist, or a value that cannot be meant."""


class UnknownSide(HarnessError):
    """What is to be compared is nothing we know how to find, or is several things at once."""


class SideUnusable(HarnessError):
    """A side was found, and cannot be measured: it does not build, or lacks the loop."""


class ResumeMismatch(HarnessError):
    """The run to be resumed belongs to another machine, interpreter or set of loop versions."""


class PlaceTaken(HarnessError):
    """The file that the run is to be written to holds something already, or has a writer."""


class RunFileError(HarnessError):
    """A result file cannot be read."""


class NotARunFile(RunFileError):
    """The file is missing or is no run file of ours."""


class NewerSchema(RunFileError):
    """The file was written by a newer loopgauge."""


class TruncatedRun(RunFileError):
    """A line of the file is not whole. `line` counts from 1; `whole` holds what could be read."""

    def __init__(self, cause: str, cure: str, *, line: int, whole: RunFile) -> None:
        super().__init__(cause, cure)
        self.line = line
        self.whole = whole


class BadWheel(HarnessError):
    """A file that is to be sent to other machines is no wheel, or contradicts another one."""


class StoreFull(HarnessError):
    """The disk has no room for the run file (or does not let it be written). What was recorded
    before is intact."""


class NoHistory(NothingToMeasure):
    """There is no store yet, or nothing in it."""


class NotAHistory(RunFileError):
    """The file is no store of ours, is damaged, or was written by a newer loopgauge."""


class StoreBusy(HarnessError):
    """Another process holds the store for longer than we are ready to wait."""


class StoreUnusable(HarnessError):
    """The store can be neither opened nor written, for a reason of the system."""


class BadPlace(HarnessError):
    """`--on` names no place that there can be."""


class FleetError(HarnessError):
    """Something went wrong with the cluster, and not with what is measured on it."""


class NoScheduler(FleetError):
    """Nothing that is a Dask scheduler answers at the address."""


class SchedulerLost(FleetError):
    """The connection to the scheduler broke off. What has come back is kept."""


class NoHost(FleetError):
    """The cluster has no worker that can be used. `left_out`: those that are there, each with name,
    reason and cure."""

    def __init__(self, cause: str, cure: str = "", left_out: Sequence[LeftOut] = ()) -> None:
        super().__init__(cause, cure)
        self.left_out = [*left_out]


class HostLost(FleetError):
    """`name` has had no worker for so long that we have stopped waiting for one."""

    def __init__(self, name: str, cause: str, cure: str = "") -> None:
        super().__init__(cause, cure)
        self.name = name


class CallFailed(FleetError):
    """What was called on a host raised there. `kind` is the class of the error, `words` what it
    said, `trace` where it came from, as text: objects of other machines are not believed."""

    def __init__(self, name: str, kind: str, words: str, trace: str = "") -> None:
        super().__init__(f"{name}: {words}")
        self.name = name
        self.kind = kind
        self.words = words
        self.trace = trace


class NonsenseFromHost(FleetError):
    """A host answered what cannot be an answer."""


class StoreLost(StoreUnusable):
    """The connection to the database of a store broke. What was stored before is intact."""


class BadStore(HarnessError):
    """What was named as a store is neither a file nor the URL of a database we know."""
