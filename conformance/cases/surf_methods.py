"""SURF: every method of asyncio's loop interface, by name and by parameter.

The list is that of the running Python's AbstractEventLoop, so a case per method says by its name
what a loop lacks.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.trial import Trial

METHODS = tuple(
    name
    for name, found in vars(asyncio.AbstractEventLoop).items()
    if callable(found) and not name.startswith("_")
)

#: What the documentation of a version names, and its AbstractEventLoop does not.
ADDED: dict[str, tuple[tuple[str, tuple[int, int]], ...]] = {
    "create_connection": (("all_errors", (3, 12)),),
    "create_unix_server": (("cleanup_socket", (3, 13)),),
    "shutdown_default_executor": (("timeout", (3, 12)),),
    "create_task": (("name", (3, 11)), ("context", (3, 11)), ("eager_start", (3, 14))),
}

#: What AbstractEventLoop names, and neither the documentation nor asyncio's own loop takes.
REMOVED = {("create_datagram_endpoint", "reuse_address")}

#: Positional parameters that the documentation and asyncio's own loop call by different names.
TWO_NAMES = {("sock_recv", "nbytes"), ("subprocess_exec", "program")}


def parameters(name: str) -> list[inspect.Parameter]:
    """What is documented for this method on this Python, without *args and **kwargs."""
    signature = inspect.signature(getattr(asyncio.AbstractEventLoop, name))
    found = [p for p in signature.parameters.values() if p.name != "self"]
    found = [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = {p.name for p in found}
    for more, since in ADDED.get(name, ()):
        if more not in known and sys.version_info >= since:
            found.append(inspect.Parameter(more, inspect.Parameter.KEYWORD_ONLY, default=None))
    return [p for p in found if (name, p.name) not in REMOVED]


def keywords(name: str) -> list[str]:
    """The documented parameters with a default, which everybody passes by name."""
    return [p.name for p in parameters(name) if p.default is not p.empty]


def required(name: str) -> list[str]:
    found = [p.name for p in parameters(name) if p.default is p.empty]
    return [*found, "program"] if name == "subprocess_exec" else found


WITH_KEYWORDS = tuple(name for name in METHODS if keywords(name))
WITH_REQUIRED = tuple(name for name in METHODS if required(name))
COROUTINES = tuple(
    name for name in METHODS if inspect.iscoroutinefunction(vars(asyncio.AbstractEventLoop)[name])
)


def method_of(t: Trial, name: str) -> Any:
    """The loop's own method; AttributeError where it has none but asyncio's placeholder."""
    found = getattr(t.loop, name)
    if getattr(found, "__func__", None) is vars(asyncio.AbstractEventLoop)[name]:
        raise AttributeError(f"{name}() is asyncio's placeholder", name=name, obj=t.loop)
    return found


def existing(t: Trial, name: str) -> Any:
    """The same, for cases that have nothing to ask where it is missing: SURF-002 says so."""
    try:
        return method_of(t, name)
    except AttributeError:
        t.not_applicable(f"the loop has no {name}(): see SURF-002")


@case("SURF-002.method", variants=METHODS, expected="the loop has it, and it can be called")
def method_exists(t: Trial, name: str) -> None:
    """A method of asyncio.AbstractEventLoop is looked up on the loop. What is inherited from
    there does nothing but raise NotImplementedError, and counts as missing."""
    t.true(f"{name} can be called", callable(method_of(t, name)))


async def nothing() -> None:
    pass


class Samples:
    """Arguments that do no harm, for methods whose parameters cannot be looked at."""

    def __init__(self, t: Trial) -> None:
        self.ours, self.peer = socket.socketpair()
        self.ours.setblocking(False)
        self.future = t.loop.create_future()
        self.future.set_result(None)
        self.coroutines: list[Coroutine[Any, Any, None]] = []

    def value(self, name: str) -> object:
        if name == "sslcontext":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if name == "coro":
            self.coroutines.append(nothing())
            return self.coroutines[-1]
        return {
            "callback": print,
            "when": 1e9,
            "delay": 1e6,
            "fd": self.ours.fileno(),
            "sig": signal.SIGUSR1,
            "sock": self.ours,
            "pipe": self.ours,
            "buf": bytearray(1),
            "data": b"",
            "nbytes": 1,
            "bufsize": 1,
            "address": self.ours.getsockname(),
            "file": io.BytesIO(),
            "host": "127.0.0.1",
            "port": 0,
            "sockaddr": ("127.0.0.1", 0),
            "protocol_factory": asyncio.Protocol,
            "future": self.future,
            "cmd": "true",
            "program": "true",
            "func": print,
            "enabled": False,
        }.get(name)

    def close(self) -> None:
        for coroutine in self.coroutines:
            coroutine.close()
        self.ours.close()
        self.peer.close()


#: Written in C by most loops, where a signature may say what is not so; a call does no harm.
HARMLESS = {"call_soon", "call_soon_threadsafe", "call_later", "call_at", "add_reader"}


def takes(t: Trial, name: str, given: list[str], named: list[str]) -> bool:
    """Whether it can be called with these parameters by position, and these by name."""
    method = getattr(t.loop, name)
    try:
        signature = inspect.signature(method)
        signature.bind(*given, **dict.fromkeys(named))
    except TypeError:
        return False
    except ValueError:  # it does not say what it takes
        return takes_when_called(t, method, given, named)
    return name not in HARMLESS or takes_when_called(t, method, given, named)


def takes_when_called(t: Trial, method: Any, given: list[str], named: list[str]) -> bool:
    """The same by a call: a TypeError is a no."""
    samples = Samples(t)
    result: Any = None
    try:
        result = method(*map(samples.value, given), **{word: samples.value(word) for word in named})
    except TypeError:
        return False
    except Exception:
        return True
    finally:
        if hasattr(t.loop, "remove_reader"):
            t.loop.remove_reader(samples.ours.fileno())
        if isinstance(result, asyncio.Task):
            t.loop.run_until_complete(result)
        samples.close()
    discard(result)
    return True


def discard(result: Any) -> None:
    """Lets go of what a method returned, without waiting for it."""
    for name in ("close", "cancel"):
        if hasattr(result, name):
            getattr(result, name)()
            return


@case("SURF-003.keywords", variants=WITH_KEYWORDS, expected="each of them is accepted by name")
def keywords_are_accepted(t: Trial, name: str) -> None:
    """The parameters of a method that have a default are passed by name, one at a time; what is
    refused is listed."""
    existing(t, name)
    refused = [word for word in keywords(name) if not takes(t, name, required(name), [word])]
    t.equal("parameters that are refused", refused, [])


@case("SURF-003.names", variants=WITH_REQUIRED, expected="accepted, by position and by name")
def names_of_required_parameters(t: Trial, name: str) -> None:
    """The parameters of a method that have no default are passed by position, and then all by the
    names that the documentation gives them."""
    existing(t, name)
    words = required(name)
    t.true(f"{', '.join(words)} by position", takes(t, name, words, []))
    if not any((name, word) in TWO_NAMES for word in words):
        t.true(f"{', '.join(words)} by name", takes(t, name, [], words))


@case(
    "SURF-003.too-many", variants=("stop", "is_running", "is_closed", "time"), expected="TypeError"
)
def arguments_that_nobody_takes(t: Trial, name: str) -> None:
    """A method without parameters is given one."""
    with t.raises(TypeError):
        getattr(t.loop, name)(1)


def called(t: Trial, name: str, samples: Samples, protocol_factory: Callable[[], Any]) -> Any:
    """What a coroutine method returns when it is called, with arguments that would do."""
    if name == "start_tls":
        return t.loop.start_tls(
            asyncio.Transport(), asyncio.Protocol(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
    given = [
        protocol_factory if word == "protocol_factory" else samples.value(word)
        for word in required(name)
    ]
    if name in ("create_connection", "create_server"):
        given += ["127.0.0.1", 0]
    if name in ("create_unix_connection", "create_unix_server"):
        given.append(str(t.directory / "socket"))
    return getattr(t.loop, name)(*given)


@case("SURF-004.lazy", variants=COROUTINES, expected="an awaitable; nothing is made or called")
def awaitable_that_is_dropped(t: Trial, name: str) -> None:
    """A coroutine method is called, and what it returns is dropped without being awaited; the
    loop runs for three turns."""
    existing(t, name)
    samples = Samples(t)

    async def main() -> None:
        result = called(t, name, samples, lambda: t.event("protocol made"))
        t.true("it can be awaited", inspect.isawaitable(result))
        discard(result)
        del result
        for _ in range(3):
            await asyncio.sleep(0)

    t.run(main())
    samples.close()
    t.saw()


@case("SURF-005.missing", expected="none: what a loop cannot do raises NotImplementedError")
def names_that_are_missing(t: Trial) -> None:
    """Every public name of asyncio.AbstractEventLoop is looked up on the loop."""
    missing = [name for name in METHODS if not hasattr(t.loop, name)]
    t.equal("names that give an AttributeError", missing, [])


@case("SURF-005.unsupported", expected="NotImplementedError, when it is called or awaited")
def methods_that_are_not_supported(t: Trial) -> None:
    """Each method that the loop only inherits from AbstractEventLoop is called with arguments
    that would do."""
    placeholders = vars(asyncio.AbstractEventLoop)
    inherited = [
        name
        for name in METHODS
        if getattr(getattr(t.loop, name, None), "__func__", None) is placeholders[name]
    ]
    t.note("not supported", inherited)
    samples = Samples(t)
    answers = {}

    async def main() -> None:
        for name in inherited:
            try:
                result = called(t, name, samples, asyncio.Protocol)
                await result
                answers[name] = "no exception"
            except Exception as error:
                answers[name] = type(error).__name__

    t.run(main())
    samples.close()
    t.equal("what they raise", answers, dict.fromkeys(inherited, "NotImplementedError"))
