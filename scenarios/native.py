"""The native tier: loops without Python, behind the C interface of loops/include."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from loopgauge.scenarios.bare import ServingLoop, Work

if TYPE_CHECKING:
    from loopgauge.scenarios.model import Scenario

FACTORY = "loopgauge.scenarios.native:NativeLoop"


class NativeLoop(ServingLoop):
    """`backend`: the name of one that comes with the harness ("libuv"), or the path of a shared
    library that exports the interface of loops/include/loopgauge_native.h.

    The loop itself (`_bench.NativeLoop`) is made anew for each scenario: what one of them needed
    (descriptors that are watched, signals, timers) makes the turns of the next slower.
    """

    def __init__(self, backend: str) -> None:
        super().__init__()
        self._backend = backend
        self._engine: Any = None

    def engine(self, native: Any) -> Any:
        if native is None:
            raise NotImplementedError("the native tier needs loopgauge._bench")
        if self._engine is None:
            self._engine = native.NativeLoop(self._backend)
        return self._engine

    def work_for(self, scenario: Scenario, native: Any) -> Work | None:
        self._engine = None
        return scenario.native_work(self.engine(native))

    def serve(self, native: Any, kind: str, address: str, size: int) -> str:
        """Starts a server in C++ on this loop (`_bench.NativeServer`) and returns its address."""
        self._server = native.NativeServer(self.engine(native), kind, address)
        return str(self._server.address)

    def served(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Or somebody asked for something, which ends the service as well."""
        if self._asked:
            self.run_asked()
        else:
            super().served(callback, arguments)

    def call_soon_threadsafe(  # type: ignore[override]  # one that returns no handle
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> None:
        """Ends the work under way; the callback runs after it."""
        if self._engine is not None:
            self._asked.append((callback, args))
            self._engine.interrupt()

    def close(self) -> None:
        super().close()
        self._engine = None
