"""What a scenario is: some work for a loop, counted, and proof that it was done."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from loopgauge.scenarios.bare import BareLoop, Work
from loopgauge.scenarios.checks import CheckFailed, Lacking, machine_lacks, require
from loopgauge.scenarios.generator import Generator
from loopgauge.scenarios.guard import Guard
from loopgauge.scenarios.params import BadParam, Param
from loopgauge.scenarios.reliance import irrelevant

__all__ = ["BadParam", "CheckFailed", "Lacking", "Param", "Scenario", "require"]

Measure = Literal["cpu", "wall", "value"]
Direction = Literal["lower", "higher"]
Design = Literal["hybrid", "process"]


@dataclass(frozen=True)
class Holds:
    """What a scenario keeps in memory `param` times: how much one takes is the difference between
    two sizes of it. `moment`: when it is all there, and nothing else that grows with it: after the
    "setup", "after" a run, or at the "peak" of one."""

    param: str
    unit: str  # one of them
    moment: Literal["setup", "after", "peak"]
    sizes: tuple[int, int]


class Scenario(ABC):
    """Base of all scenarios. An instance belongs to one loop, from `setup` to `teardown`.

    Class attributes describe it: `id` is "family.name" and never changes; `unit` is one operation
    (of a "value" scenario: what the value is in; read it from the instance); `measure` is what the
    headline counts; `rules` are the conformance rules without which its result means nothing
    (an instance may depend on fewer, by its parameters);
    `carriers` (what its bytes go over), `schedules` (how it schedules callbacks) and `aside`
    (patterns of cases) narrow them to what it really does, see reliance.py;
    `requires` are loop capabilities (LoopSpec.capabilities); `quick` and `full` list the parameter
    sets of the two settings; `design` is the sampling design of the headline; `slot_s` is the
    least length of a slot in seconds; with `has_floor` it can be run on bare system calls too,
    with `has_native` as C++ callbacks on a native loop.

    What a scenario raises: CheckFailed for work that was not done, NotImplementedError for a loop
    that lacks something (UNSUPPORTED), Lacking for a machine that does (LACKING: left out),
    anything else is an error of loop or scenario.
    """

    id: ClassVar[str]
    summary: ClassVar[str]
    unit: str
    measure: ClassVar[Measure] = "cpu"
    direction: ClassVar[Direction] = "lower"
    rules: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    requires: frozenset[str] = frozenset()
    params: ClassVar[tuple[Param, ...]] = ()
    quick: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    full: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    design: ClassVar[Design] = "hybrid"
    slot_s: ClassVar[float] = 0.0
    has_floor: bool = False
    has_native: bool = False
    needs_generator: ClassVar[bool] = False
    holds: ClassVar[Holds | None] = None  # for the memory tier

    # Seconds without an end after which a run is given up, see guard.py. Slots last milliseconds.
    patience: float = 3.0
    # How a scenario that needs further loops makes them; whoever drives it may set it before
    # `setup`. Without it the type of the loop is called.
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    # The other side of the connections; set before `setup` where `needs_generator` says so.
    generator: Generator | None = None

    def __init__(self, **params: Any) -> None:
        """Parameters become attributes of the instance. Raises BadParam."""
        self.values = self._parse(params)
        for name, value in self.values.items():
            setattr(self, name, value)
        self._guard: Guard | None = None
        self._error: BaseException | None = None
        self._working = False  # in a setup or a run, which a failing callback ends
        self._bare: Work | None = None  # of an arm that is no loop
        self._engine: Any = None

    @property
    def grain(self) -> int:
        """The number of operations of a run is always a multiple of this."""
        return 1

    @property
    def family(self) -> str:
        return self.id.partition(".")[0]

    @property
    def irrelevant(self) -> list[str]:
        """Patterns of the cases of `rules` on which the result does not rest."""
        return irrelevant(self.rules, self.carriers, self.schedules, self.aside)

    def setup(self, loop: asyncio.AbstractEventLoop, native: Any = None) -> None:
        """Prepares what is not measured and proves on `loop` what a run cannot prove for free.

        native: the module loopgauge._bench or None; only callback=native needs it.
        """
        # Without a handler a failing callback is found when the guard's patience is over.
        with contextlib.suppress(NotImplementedError):
            loop.set_exception_handler(self._on_exception)
        self._guard = Guard(loop, self.patience)
        self._guard.start()
        try:
            self._guarded(lambda: self._prepare(loop, native))
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong first is what matters
                self.teardown(loop)
            raise

    def run(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        """Does `n` operations on `loop`, which is not running, and returns how many it verified."""
        if n < 1 or n % self.grain:
            raise ValueError(f"{self.id}: {n} operations is no multiple of {self.grain}")
        done: int = self._guarded(lambda: self._perform(loop, n))
        require(done == n, f"{done} of {n} operations were done")
        return done

    def teardown(self, loop: asyncio.AbstractEventLoop) -> None:
        """Gives back what `setup` took, also after a failed run or twice. The loop stays open."""
        try:
            self._bare = None
            self.release(loop)
        finally:
            if self._guard is not None:
                self._guard.close()
                self._guard = None
            with contextlib.suppress(NotImplementedError):
                loop.set_exception_handler(None)

    def direct_work(self) -> Work | None:
        """What `run` does without any Python of the scenario's, where it is so: on an arm that is
        no loop. Who runs it checks that it did as much as was asked, and has no guard."""
        return self._bare

    def last_value(self) -> float:
        """What the last run measured, whatever ran it."""
        return self.take_value() if self._bare is None else self._bare.value()

    def take_value(self) -> float:
        """What the last run measured, in `unit`. Only scenarios with measure "value" have one."""
        raise NotImplementedError(f"{self.id} measures {self.measure}, not a value")

    def take_open_loop(self) -> Any | None:
        """The generator's answer (`Done`) to the last run, of scenarios at a constant rate."""
        return None

    def prepare(  # noqa: B027 - optional
        self, loop: asyncio.AbstractEventLoop, native: Any
    ) -> None:
        """The scenario's own part of `setup`; it may run the loop."""

    @abstractmethod
    def perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        """The scenario's own part of `run`: the timed work, then the cheap checks."""

    def release(self, loop: asyncio.AbstractEventLoop) -> None:  # noqa: B027 - optional
        """The scenario's own part of `teardown`; must bear a setup that failed half-way."""

    def native_work(self, loop: Any) -> Work | None:
        """The scenario as C++ callbacks on `loop`, a _bench.NativeLoop; see BareLoop.work_for."""
        raise NotImplementedError("this scenario has no native counterpart")

    def floor_work(self, native: Any) -> Work | None:
        """The scenario as bare system calls; see BareLoop.work_for."""
        raise NotImplementedError("this scenario has no floor")

    def new_loop(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        """Another loop of the same kind as `loop`, owned by the caller."""
        factory = self.loop_factory or type(loop)
        return factory()

    def _prepare(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        if isinstance(loop, BareLoop):
            self._engine = native
            self._bare = loop.work_for(self, native)
        if self._bare is None:
            self.prepare(loop, native)

    def _perform(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        if self._bare is not None and isinstance(loop, BareLoop):
            return loop.do(self._bare, n, self._engine)
        return self.perform(loop, n)

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """`work()` under the guard; what went wrong inside callbacks is raised here."""
        guard = self._guard
        if guard is None:
            raise RuntimeError(f"{self.id}: run before setup")
        self._error = None
        guard.enter()
        self._working = True
        try:
            result = work()
        except Exception as error:
            self._raise_cause(error)
            raise
        finally:
            self._working = False
            guard.leave()
        self._raise_cause(None)
        return result

    def _raise_cause(self, error: Exception | None) -> None:
        """Raises what lies behind the end of a run, if it is more telling than `error`."""
        if self._error is not None and self._error is not error:
            if isinstance(self._error, NotImplementedError):
                raise self._error
            if lack := machine_lacks(self._error):
                raise Lacking(lack) from self._error
            name = type(self._error).__name__
            raise CheckFailed(f"a callback raised {name}: {self._error}") from self._error
        if self._guard is not None and self._guard.fired:
            raise CheckFailed(
                f"did not end within {self._guard.patience:g} s and was stopped:"
                " callbacks were lost, or the loop is far too slow"
            ) from error

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Ends the run at once when a callback raises, instead of waiting for the guard."""
        error = context.get("exception")
        # Forgotten futures and tasks are reported whenever they are collected, perhaps in the run
        # of another scenario: only callbacks count.
        if error is None or not {"future", "task", "asyncgen"}.isdisjoint(context):
            return
        if self._error is None:
            self._error = error
        if self._working and loop.is_running():
            loop.stop()

    @classmethod
    def _parse(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        known = {param.name: param for param in cls.params}
        for name in given:
            if name not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise BadParam(f"no parameter {name}; {has}")
        return {
            name: param.parse(given[name]) if name in given else param.default
            for name, param in known.items()
        }
