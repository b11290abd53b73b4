"""Notices when a loop changes process-wide state, on which the other loops' values depend.

A snapshot holds everything a loop has been seen to change, or could. Two of them are compared: by
identity where identity matters (functions, classes), by value otherwise. Some of what is read is
private to asyncio, so it is read with a default: what a Python version does not have is equal to
itself. A look takes half a millisecond: once a job, not once a slot.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
import types
import warnings
from collections.abc import Iterator

# Modules whose attributes libraries replace ("monkey-patching"); compared where they are loaded.
PATCHED_MODULES = frozenset(
    {
        "_asyncio",
        "concurrent.futures",
        "concurrent.futures.thread",
        "contextvars",
        "select",
        "selectors",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "threading",
        "time",
    }
)
# Changed by ordinary use; the policy has an entry of its own.
VOLATILE = frozenset({"_event_loop_policy", "_shutdown", "_abc_impl"})

# What a name is until it is first used, from Python 3.15 on (`lazy import`).
LAZY_IMPORT: tuple[type, ...] = tuple(filter(None, [getattr(types, "LazyImportType", None)]))

PROCESS = "process"
AFFINITY = "CPU affinity"

# Group ("process", a module, a class) -> name -> value. It holds references to what it compares,
# so that no identity is used twice.
Snapshot = dict[str, dict[str, object]]


class Guard:
    """Remembers one snapshot; `changes` compares with it and takes the next."""

    def __init__(self) -> None:
        self._last = take_snapshot()

    def changes(self) -> list[str]:
        """One line per difference since the last call (or the start)."""
        now = take_snapshot()
        found = differences(self._last, now)
        self._last = now
        return found

    def accept_affinity(self) -> None:
        """The harness itself has moved the thread to other cores: that is nobody's fault."""
        self._last[PROCESS][AFFINITY] = _affinity()


def take_snapshot() -> Snapshot:
    snapshot = {PROCESS: {**_settings(), **_signals()}}
    for name, module in list(sys.modules.items()):
        if name in PATCHED_MODULES:
            snapshot[f"module {name}"] = dict(vars(module))
        elif name == "asyncio" or name.startswith("asyncio."):
            snapshot[f"module {name}"] = dict(vars(module))
            for cls in _classes(module):
                snapshot[f"class {cls.__module__}.{cls.__qualname__}"] = dict(vars(cls))
    return snapshot


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """One line each. A module that is new in `after` was imported meanwhile, which is no change."""
    return [
        _describe(group, name, before[group], after[group])
        for group in before
        if group in after and before[group] != after[group]
        for name in _changed(group, before[group], after[group])
    ]


def release_thread() -> list[str]:
    """After a run: what a loop must give back so that the next one can run at all. Says what was
    left, and takes it back."""
    left = []
    if asyncio._get_running_loop() is not None:
        asyncio._set_running_loop(None)
        left.append("left itself behind as the running loop of the thread")
    if sys.get_asyncgen_hooks() != (None, None):
        sys.set_asyncgen_hooks(None, None)
        left.append("left its asynchronous generator hooks behind")
    return left


def _settings() -> dict[str, object]:
    return {
        "event loop policy": _policy(),
        "current event loop": _current_loop(),
        "gc.isenabled()": gc.isenabled(),
        "gc.get_threshold()": gc.get_threshold(),
        "gc.callbacks": tuple(gc.callbacks),
        "sys.getswitchinterval()": sys.getswitchinterval(),
        "sys.getrecursionlimit()": sys.getrecursionlimit(),
        "sys.get_asyncgen_hooks()": tuple(sys.get_asyncgen_hooks()),
        "sys.get_coroutine_origin_tracking_depth()": sys.get_coroutine_origin_tracking_depth(),
        "sys.excepthook": sys.excepthook,
        "sys.unraisablehook": sys.unraisablehook,
        "sys.gettrace()": sys.gettrace(),
        "sys.getprofile()": sys.getprofile(),
        "threading.excepthook": threading.excepthook,
        "warnings.filters": tuple(warnings.filters),
        "warnings.showwarning": warnings.showwarning,
        AFFINITY: _affinity(),
        "scheduling policy": os.sched_getscheduler(0),
        "environment variables": dict(os.environ),
    }


def _affinity() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0))


def _policy() -> str:
    """By type: the default one is made on first use, by anybody."""
    policy = getattr(asyncio.events, "_event_loop_policy", None)
    if policy is None or type(policy).__module__.startswith("asyncio."):
        return "asyncio's default"
    return f"{type(policy).__module__}.{type(policy).__qualname__}"


def _current_loop() -> object:
    """What set_event_loop set. Read past the public function, which would make a loop or warn."""
    policy = getattr(asyncio.events, "_event_loop_policy", None)
    return getattr(getattr(policy, "_local", None), "_loop", None)


def _signals() -> dict[str, object]:
    state: dict[str, object] = {
        f"handler of {number.name}": signal.getsignal(number)
        for number in signal.valid_signals()
        if isinstance(number, signal.Signals)
    }
    state["blocked signals"] = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    state["signal wakeup fd"] = _wakeup_fd()
    state["interval timer runs"] = signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0)
    return state


def _wakeup_fd() -> int:
    """It can be read only by replacing it."""
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        # One that was closed meanwhile cannot be set again, nor used by anybody.
        with contextlib.suppress(ValueError, OSError):
            signal.set_wakeup_fd(fd)
    return fd


def _classes(module: types.ModuleType) -> Iterator[type]:
    """Those that `module` defines; the C accelerated ones are found where they are imported."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ in (module.__name__, "_asyncio"):
            yield value


def _volatile(name: str) -> bool:
    return name in VOLATILE or name.startswith("__annot")  # annotations: computed on first use


def _changed(group: str, before: dict[str, object], after: dict[str, object]) -> list[str]:
    # A new name in a module replaces nothing, and some appear by themselves (concurrent.futures
    # fills itself on first use). In a class it may hide an inherited method.
    ignore_new = group.startswith("module ")
    names = before.keys() if ignore_new else before.keys() | after.keys()
    return sorted(name for name in names if not _volatile(name) and not _same(before, after, name))


_MISSING = object()
_BY_VALUE = (bool, int, float, str, tuple, frozenset, dict)


def _same(before: dict[str, object], after: dict[str, object], name: str) -> bool:
    old, new = before.get(name, _MISSING), after.get(name, _MISSING)
    if old is new or isinstance(old, LAZY_IMPORT):
        return True
    return isinstance(old, _BY_VALUE) and type(old) is type(new) and old == new


def _describe(group: str, name: str, before: dict[str, object], after: dict[str, object]) -> str:
    label = name if group == PROCESS else f"{group.partition(' ')[2]}.{name}"
    if name not in after:
        return f"{label} removed"
    if name not in before:
        return f"{label} added"
    old, new = before[name], after[name]
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        return f"{label} changed: {', '.join(keys)}"
    if callable(old) and callable(new):
        return f"{label} replaced by {_origin(new)}"
    return f"{label} changed from {_short(old)} to {_short(new)}"


def _origin(value: object) -> str:
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return f"{module}.{name}" if module else str(name)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
