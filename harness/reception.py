"""Turns what one worker says into events and samples, believing nothing that was not asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from loopgauge.harness.isolation import ENDS_BENCHMARK
from loopgauge.harness.messages import ProtocolError, check_samples
from loopgauge.harness.model import Event
from loopgauge.harness.worker.plan import (
    AnyMessage,
    Begin,
    End,
    Leftover,
    Loop,
    Poison,
    Samples,
    Status,
)


class Reception:
    """`asked`: (benchmark, arm) -> slots at most. Called with every message of one worker."""

    def __init__(
        self,
        asked: Mapping[tuple[str, str], int],
        on_samples: Callable[[Samples], None],
        on_end: Callable[[str], None] = lambda benchmark: None,
        on_begin: Callable[[Begin], None] = lambda begin: None,
        process: int | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.ended: set[str] = set()
        self.delivered: set[tuple[str, str]] = set()
        self._asked = asked
        self._arms = {arm for _, arm in asked}
        self._on_samples = on_samples
        self._on_end = on_end
        self._on_begin = on_begin
        self._process = process

    def __call__(self, message: AnyMessage) -> None:
        if isinstance(message, Begin):
            self._on_begin(message)
        elif isinstance(message, Samples):
            self._take_samples(message)
        elif isinstance(message, Status):
            self._require(message.benchmark, message.arm)
            self._note(
                message.status, message.arm, message.benchmark, message.reason, message.traceback
            )
        elif isinstance(message, Loop):
            if not message.ok:
                self._require_arm(message.arm)
                self._note("unavailable", message.arm, "", message.error, message.traceback)
        elif isinstance(message, Poison):
            if message.arm:
                self._require_arm(message.arm)
            self._note("poison", message.arm, "", ", ".join(message.what))
        elif isinstance(message, Leftover):
            self._require_arm(message.arm)
            self._note("note", message.arm, "", ", ".join(message.what))
        elif isinstance(message, End):
            self._end(message.benchmark)

    def _take_samples(self, message: Samples) -> None:
        key = (message.benchmark, message.arm)
        self._require(*key)
        if key in self.delivered or message.benchmark in self.ended:
            raise ProtocolError(f"samples of {message.benchmark} on {message.arm} sent twice")
        check_samples(message, self._asked[key])
        self.delivered.add(key)
        self._on_samples(message)

    def _end(self, benchmark: str) -> None:
        """Every arm has to have delivered, or to have said why not."""
        self.ended.add(benchmark)
        for name, arm in self._asked:
            if (
                name == benchmark
                and (name, arm) not in self.delivered
                and not self._excused(name, arm)
            ):
                self._note("error", arm, name, "the worker sent neither samples nor a reason")
        self._on_end(benchmark)

    def _excused(self, benchmark: str, arm: str) -> bool:
        return any(
            event.arm == arm
            and event.benchmark in ("", benchmark)
            and event.event in ENDS_BENCHMARK
            for event in self.events
        )

    def _require(self, benchmark: str, arm: str) -> None:
        if (benchmark, arm) not in self._asked:
            raise ProtocolError(f"{benchmark} on {arm} was not asked for")

    def _require_arm(self, arm: str) -> None:
        if arm not in self._arms:
            raise ProtocolError(f"{arm} is no arm of this process")

    def _note(self, kind: str, arm: str, benchmark: str, reason: str, detail: str = "") -> None:
        self.events.append(
            Event(
                event=kind,  # type: ignore[arg-type]
                process=self._process,
                arm=arm,
                benchmark=benchmark,
                reason=reason,
                detail=detail,
            )
        )
