"""Sources of rules, such as "docs loop.time; T:test_call_later", as text with links."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markupsafe import Markup, escape

DOCS = "https://docs.python.org/3/library/"

#: Where the documentation of a class or function of asyncio is, by the first part of its name.
_PAGES = {
    "loop": "asyncio-eventloop",
    "Server": "asyncio-eventloop",
    "Handle": "asyncio-eventloop",
    "TimerHandle": "asyncio-eventloop",
    "SelectorEventLoop": "asyncio-eventloop",
    "AbstractEventLoop": "asyncio-eventloop",
    "get_running_loop": "asyncio-eventloop",
    "get_event_loop": "asyncio-eventloop",
    "set_event_loop": "asyncio-eventloop",
    "new_event_loop": "asyncio-eventloop",
    "Runner": "asyncio-runner",
    "run": "asyncio-runner",
    "Task": "asyncio-task",
    "create_task": "asyncio-task",
    "sleep": "asyncio-task",
    "shield": "asyncio-task",
    "timeout": "asyncio-task",
    "wait_for": "asyncio-task",
    "to_thread": "asyncio-task",
    "run_coroutine_threadsafe": "asyncio-task",
    "eager_task_factory": "asyncio-task",
    "Future": "asyncio-future",
    "StreamReader": "asyncio-stream",
    "StreamWriter": "asyncio-stream",
    "open_connection": "asyncio-stream",
    "start_server": "asyncio-stream",
    "open_unix_connection": "asyncio-stream",
    "start_unix_server": "asyncio-stream",
    "BaseTransport": "asyncio-protocol",
    "ReadTransport": "asyncio-protocol",
    "WriteTransport": "asyncio-protocol",
    "Transport": "asyncio-protocol",
    "DatagramTransport": "asyncio-protocol",
    "SubprocessTransport": "asyncio-protocol",
    "BaseProtocol": "asyncio-protocol",
    "Protocol": "asyncio-protocol",
    "BufferedProtocol": "asyncio-protocol",
    "DatagramProtocol": "asyncio-protocol",
    "SubprocessProtocol": "asyncio-protocol",
    "create_subprocess_exec": "asyncio-subprocess",
    "create_subprocess_shell": "asyncio-subprocess",
    "AbstractChildWatcher": "asyncio-policy",
}
#: What "docs" alone means, by area.
_AREAS = {
    "AGEN": "asyncio-eventloop",
    "BUFP": "asyncio-protocol",
    "PIPE": "asyncio-eventloop",
    "PROC": "asyncio-subprocess",
    "PROT": "asyncio-protocol",
    "RUNR": "asyncio-runner",
    "STRM": "asyncio-stream",
    "TASK": "asyncio-task",
    "THRD": "asyncio-dev",
    "TRAN": "asyncio-protocol",
    "UDPD": "asyncio-protocol",
}
_PREFIXES = {"T:": "CPython's test ", "S:": "CPython's source "}
_WORDS = {"S": "CPython's source", "T": "CPython's tests", "eco": "popular libraries"}


def linked(source: str, area: str) -> Markup:
    """Every part that has an address of its own becomes a link."""
    return Markup("; ").join(_part(part.strip(), area) for part in source.split(";"))


def _part(part: str, area: str) -> Markup:
    if part.startswith("docs"):
        return _link(part.replace("docs", "documentation", 1), _address(part, area))
    for prefix, words in _PREFIXES.items():
        if part.startswith(prefix):
            return escape(words + part[len(prefix) :].strip())
    return Markup("").join(_pieces(_WORDS.get(part, part)))


def _address(part: str, area: str) -> str:
    """Of "docs", "docs loop.time" or "docs asyncio.Runner.run 3.12"."""
    for word in part.split()[1:]:
        page = re.fullmatch(r"(asyncio-[a-z]+)(?: page)?", word)
        if page:
            return f"{DOCS}{page[1]}.html"
        name = word.removeprefix("asyncio.").rstrip("()")
        if name.partition(".")[0] in _PAGES:
            return f"{DOCS}{_PAGES[name.partition('.')[0]]}.html#asyncio.{name}"
    if "debug mode" in part:
        return f"{DOCS}asyncio-dev.html#debug-mode"
    if "protocol" in part:
        return f"{DOCS}asyncio-protocol.html"
    return f"{DOCS}{_AREAS.get(area, 'asyncio-eventloop')}.html"


def _pieces(text: str) -> Iterator[Markup]:
    """PEPs, issues of CPython, and whole addresses as links; everything else as it is."""
    end = 0
    for found in re.finditer(r"PEP (\d+)|gh-(\d+)|https?://[^\s<>\"']+", text):
        yield escape(text[end : found.start()])
        if found[1]:
            yield _link(found[0], f"https://peps.python.org/pep-{int(found[1]):04}/")
        elif found[2]:
            yield _link(found[0], f"https://github.com/python/cpython/issues/{found[2]}")
        else:
            yield _link(found[0], found[0])
        end = found.end()
    yield escape(text[end:])


def _link(text: str, address: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)
