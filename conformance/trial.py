"""What a case works with: loops of the factory under test, and a record of what was seen.

Standard library only, and nothing of this project: `bench repro` puts this file into the
stand-alone script of a case.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class Mismatch(AssertionError):
    """The loop did something else than the rule wants: FAIL."""


class NotApplicable(Exception):
    """The case cannot be asked here: the machine or the Python lacks what it takes."""


class Trial:
    """One run of one case.

    factory: makes a new loop of the kind under test; also what `asyncio.Runner` is given.
    factory_name: "module:attribute" of it, for a fresh interpreter (see `python`).
    observations: (what, wanted, observed) of every comparison, in words.
    events: what the case saw happening, in order; compared with stock's on the case page.
    notes: values that are recorded and never judged.
    """

    def __init__(
        self,
        factory: LoopFactory,
        factory_name: str = "",
        arguments: tuple[str, ...] = (),
        directory: Path | None = None,
    ) -> None:
        self._factory = factory
        self.factory_name = factory_name
        self.arguments = arguments
        self.observations: list[tuple[str, str, str]] = []
        self.events: list[str] = []
        self.notes: dict[str, str] = {}
        self.non_strict_reasons: list[str] = []
        self.logs: list[logging.LogRecord] = []
        self.warnings: list[warnings.WarningMessage] = []
        self.unraisable: list[str] = []
        self.made = 0  # loops
        self._loops: list[asyncio.AbstractEventLoop] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._directory = directory

    # Loops

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this case, made at first use, closed after the body."""
        if self._loop is None:
            self._loop = self.factory()
        return self._loop

    def factory(self) -> asyncio.AbstractEventLoop:
        """A new loop. The body may close it; what it leaves open is closed after the body."""
        pid = os.getpid()
        made = self._factory()
        if os.getpid() != pid:  # the factory forked: the copy is none of our business
            os._exit(0)
        if not isinstance(made, asyncio.AbstractEventLoop) and not hasattr(made, "create_task"):
            raise TypeError(f"the factory returned {made!r}, which is no event loop")
        if hasattr(made, "is_closed") and made.is_closed():
            raise RuntimeError("the factory returned a closed loop: every call must make a new one")
        self._loops.append(made)
        self.made += 1
        return made

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """No longer keeps or closes `loop`: for cases about what becomes of one."""
        self._loops = [kept for kept in self._loops if kept is not loop]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """`loop.run_until_complete` on the loop of this case."""
        return self.loop.run_until_complete(coroutine)

    def spin(self, turns: int = 1) -> None:
        """Runs the loop of this case for `turns` turns, in which what is ready is run."""
        for _ in range(turns):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def open_loops(self) -> list[asyncio.AbstractEventLoop]:
        return [loop for loop in self._loops if hasattr(loop, "is_closed") and not loop.is_closed()]

    def close(self) -> None:
        """Closes every loop that is still open; raises the first error."""
        self._loop = None
        errors: list[BaseException] = []
        while self._loops:
            loop = self._loops.pop()
            try:
                # Without is_closed() or close(): other rules say so, and this case may do without.
                if hasattr(loop, "close") and not (hasattr(loop, "is_closed") and loop.is_closed()):
                    loop.close()
            except BaseException as error:
                errors.append(error)
        if errors:
            raise errors[0]

    # What was seen

    def equal(self, what: str, observed: object, wanted: object) -> None:
        """`observed` has to be equal to `wanted`, and of the same truth for None and bools."""
        self.observations.append((what, repr(wanted), repr(observed)))
        strict = wanted is None or isinstance(wanted, bool)
        if observed is not wanted if strict else observed != wanted:
            raise Mismatch(f"{what}: wanted {wanted!r}, observed {observed!r}")

    def true(self, what: str, observed: object, wanted: str = "yes") -> None:
        """`observed` has to be true; `what` is a statement, such as "the handle is a Handle"."""
        self.observations.append((what, wanted, "yes" if observed else "no"))
        if not observed:
            raise Mismatch(f"{what}: no")

    def between(self, what: str, observed: float, low: float, high: float) -> None:
        """`observed` has to lie in [low, high]."""
        self.observations.append((what, f"{low:g} to {high:g}", f"{observed:.6g}"))
        if not low <= observed <= high:
            raise Mismatch(f"{what}: wanted {low:g} to {high:g}, observed {observed:.6g}")

    def saw(self, *wanted: str) -> None:
        """The events so far have to be just these, in this order."""
        self.equal("the events, in order", self.events, list(wanted))

    @contextmanager
    def raises(self, *types: type[BaseException], what: str = "") -> Iterator[list[BaseException]]:
        """The block has to raise one of `types`; a subclass will do, texts are not judged.
        The list it hands out holds the exception afterwards."""
        names = " or ".join(kind.__name__ for kind in types)
        what = what or "the call raises"
        caught: list[BaseException] = []
        try:
            yield caught
        except NotImplementedError as error:
            if NotImplementedError not in types and not any(isinstance(error, t) for t in types):
                raise
            caught.append(error)
        except types as error:
            caught.append(error)
        except (Mismatch, NotApplicable):
            raise
        except BaseException as error:
            if self._is_about_a_missing_method(error):
                raise  # UNIMPLEMENTED
            observed = f"{type(error).__name__}: {error}"
            self.observations.append((what, names, observed))
            raise Mismatch(f"{what}: wanted {names}, observed {observed}") from error
        else:
            self.observations.append((what, names, "no exception"))
            raise Mismatch(f"{what}: wanted {names}, observed no exception")
        self.observations.append((what, names, f"{type(caught[0]).__name__}: {caught[0]}"))

    def _is_about_a_missing_method(self, error: BaseException) -> bool:
        """Of the loop's interface; a private attribute that a loop misses is its own fault."""
        return (
            isinstance(error, AttributeError)
            and error.name in vars(asyncio.AbstractEventLoop)
            and any(error.obj is loop for loop in self._loops)
        )

    def fail(self, what: str) -> None:
        """The loop did what it must not do."""
        raise Mismatch(what)

    def event(self, text: str, *_ignored: object) -> None:
        """Something happened; usable as a callback."""
        self.events.append(text)

    def note(self, name: str, value: object) -> None:
        """Records a value that no rule fixes."""
        self.notes[name] = value if isinstance(value, str) else repr(value)

    def non_strict(self, reason: str) -> None:
        """What was seen is allowed by the documentation, and is not what stock does."""
        self.non_strict_reasons.append(reason)

    def not_applicable(self, reason: str) -> None:
        """Ends the case: it cannot be asked on this machine or Python."""
        raise NotApplicable(reason)

    # Waiting: always for an event, never for a while

    def until(self, condition: Callable[[], object], what: str, seconds: float = 5.0) -> None:
        """Runs the loop of this case until `condition()` is true; after `seconds` that is a FAIL.
        Only for loops that have call_later."""

        async def wait() -> None:
            deadline = time.monotonic() + seconds
            while not condition():
                if time.monotonic() > deadline:
                    self.fail(f"{what}: not seen within {seconds:g} s")
                await asyncio.sleep(0.001)

        self.run(wait())
        self.observations.append((what, "yes", "yes"))

    # Surroundings

    @property
    def directory(self) -> Path:
        """An empty folder of this case's own, removed after it; short enough for Unix sockets."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="lg-"))
        return self._directory

    def log_messages(self, level: int = logging.ERROR) -> list[str]:
        """What was logged on the logger `asyncio`, at `level` or above."""
        return [record.getMessage() for record in self.logs if record.levelno >= level]

    def collect(self) -> None:
        """A full garbage collection, for cases about what is dropped."""
        for _ in range(3):
            gc.collect()

    def thread(self, target: Callable[..., object], *args: object) -> threading.Thread:
        """A started daemon thread; the case joins it."""
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread

    def python(
        self, source: str, *words: str, seconds: float = 8.0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `source` in a fresh interpreter in which `new_loop()` makes a loop under test.
        A time limit ends in a FAIL that names it."""
        module, _, attribute = self.factory_name.partition(":")
        head = (
            f"import functools, importlib, operator, sys\nsys.path[:] = {sys.path!r}\n"
            f"def new_loop():\n"
            f"    made = operator.attrgetter({attribute!r})(importlib.import_module({module!r}))\n"
            f"    return made(*{self.arguments!r})\n"
        )
        environment = {**os.environ, **variables}
        try:
            return subprocess.run(
                [sys.executable, *words, "-c", head + source],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise Mismatch(f"a fresh interpreter did not end within {seconds:g} s") from None


@contextmanager
def watching(trial: Trial) -> Iterator[None]:
    """Within it, the trial sees what asyncio logs, which warnings are given, and which exceptions
    end in a place where nobody can catch them."""
    logger = logging.getLogger("asyncio")
    handler = _Collector(trial.logs)
    before = sys.unraisablehook, threading.excepthook, logger.propagate, logger.level
    logger.addHandler(handler)
    logger.propagate = False
    sys.unraisablehook = lambda seen: trial.unraisable.append(
        f"{type(seen.exc_value).__name__}: {seen.exc_value} in {_name(seen.object)}"
    )
    threading.excepthook = lambda seen: trial.unraisable.append(
        f"{seen.exc_type.__name__}: {seen.exc_value} in a thread"
    )
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        trial.warnings = seen
        try:
            yield
        finally:
            sys.unraisablehook, threading.excepthook, logger.propagate, level = before
            logger.setLevel(level)
            logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None  # keep no object of the loop alive
        self._records.append(record)


def _name(thing: object) -> str:
    """Not a repr: that of a half-dead object may raise or keep it alive."""
    return str(getattr(thing, "__qualname__", type(thing).__name__))
