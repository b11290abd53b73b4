"""PROC: starting children, and with what they are started."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.processes import (
    ProcessRecorder,
    children,
    finished,
    output,
    pipes_held,
    start,
)
from loopgauge.conformance.trial import Trial

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT


@case(
    "PROC-001.arguments",
    expected="the child has just these arguments, none of them seen by a shell",
)
def arguments(t: Trial) -> None:
    """A program is started with arguments that a shell would change, and prints them."""

    async def main() -> None:
        words = ["a b", "*", "", "$HOME", "'", "a;b", "\u00fc"]
        transport, protocol = await start("/bin/sh", "-c", 'printf "<%s>" "$@"', "sh", *words)
        await finished(transport, protocol)
        wanted = "".join(f"<{word}>" for word in words).encode()
        t.equal("what the child printed", protocol.data[1], wanted)
        t.equal("get_returncode()", transport.get_returncode(), 0)

    t.run(main())


@case(
    "PROC-001.result",
    expected="a transport for subprocesses and the protocol of the factory, after it was made once",
)
def result(t: Trial) -> None:
    """What subprocess_exec() returns is looked at."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made: list[ProcessRecorder] = []

        def factory() -> ProcessRecorder:
            made.append(ProcessRecorder(loop))
            return made[-1]

        transport, protocol = await loop.subprocess_exec(factory, "/bin/cat")
        t.equal("calls of the factory", len(made), 1)
        t.true("the protocol is the factory's", protocol is made[0])
        await asyncio.sleep(0)
        t.true("connection_made had the transport", protocol.transport is transport)
        t.true("get_protocol() is the protocol", transport.get_protocol() is protocol)
        t.equal("is_closing()", transport.is_closing(), False)
        if not isinstance(transport, asyncio.SubprocessTransport):
            t.non_strict("the transport is no instance of asyncio.SubprocessTransport")
        transport.close()
        t.equal("is_closing() after close()", transport.is_closing(), True)
        await protocol.lost

    t.run(main())


@case(
    "PROC-001.program",
    variants=("str", "bytes", "path"),
    expected="the program runs",
)
def kinds_of_program(t: Trial, kind: str) -> None:
    """The program and its argument are given as str, bytes or pathlib.Path."""

    async def main() -> None:
        convert: Any = {"str": str, "bytes": os.fsencode, "path": Path}[kind]
        file = t.directory / "file"
        file.write_text("content")
        seen = await output(convert("/bin/cat"), convert(str(file)))
        t.equal("what it printed", seen, b"content")

    t.run(main())


@case("PROC-001.search", expected="the program is found in PATH")
def search(t: Trial) -> None:
    """A program is named without a folder."""

    async def main() -> None:
        t.equal("what it printed", await output("sh", "-c", "echo found"), b"found\n")

    t.run(main())


@case(
    "PROC-002.shell",
    variants=("str", "bytes"),
    expected="the shell runs the pipeline; the exit code is the shell's",
)
def shell(t: Trial, kind: str) -> None:
    """A command with a variable, a pipe and an exit code is given to subprocess_shell()."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        command = "V=two; echo one $V | tr a-z A-Z; exit 7"
        given: Any = command if kind == "str" else command.encode()
        transport, protocol = await loop.subprocess_shell(lambda: ProcessRecorder(loop), given)
        await finished(transport, protocol)
        t.equal("what it printed", protocol.data[1], b"ONE TWO\n")
        t.equal("get_returncode()", transport.get_returncode(), 7)

    t.run(main())


@case("PROC-002.process", expected="the same by asyncio.create_subprocess_shell()")
def shell_process(t: Trial) -> None:
    """A shell command reads what communicate() is given."""

    async def main() -> None:
        child = await asyncio.create_subprocess_shell(
            "read a; echo $a $a >&2; exit 3", stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        t.equal("communicate()", await child.communicate(b"x\n"), (b"", b"x x\n"))
        t.equal("returncode", child.returncode, 3)

    t.run(main())


WRONG: dict[str, dict[str, Any]] = {
    "universal_newlines": {"universal_newlines": True},
    "bufsize": {"bufsize": 4096},
    "text": {"text": True},
    "encoding": {"encoding": "utf-8"},
    "errors": {"errors": "strict"},
}


async def refuse(t: Trial, start: Callable[..., Any], *words: Any, **options: Any) -> None:
    """Calls and awaits what has to be refused with ValueError; TypeError is as good."""
    before = children()
    with t.raises(ValueError, TypeError) as caught:
        await start(asyncio.SubprocessProtocol, *words, **options)
    t.equal("new children", children() - before, set())
    if not isinstance(caught[0], ValueError):
        t.non_strict("TypeError in place of ValueError")


@case(
    "PROC-008.exec",
    variants=(*WRONG, "shell"),
    expected="ValueError, and no child is started",
)
def wrong_for_exec(t: Trial, name: str) -> None:
    """subprocess_exec() is given an argument of subprocess.Popen that asyncio excludes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        options = WRONG.get(name, {"shell": True})
        await refuse(t, loop.subprocess_exec, "true", **options)

    t.run(main())


@case(
    "PROC-008.shell",
    variants=(*WRONG, "shell"),
    expected="ValueError, and no child is started",
)
def wrong_for_shell(t: Trial, name: str) -> None:
    """subprocess_shell() is given an argument of subprocess.Popen that asyncio excludes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        options = WRONG.get(name, {"shell": False})
        await refuse(t, loop.subprocess_shell, "true", **options)

    t.run(main())


@case(
    "PROC-009.command",
    variants=("list", "int", "none"),
    expected="ValueError, and no child is started",
)
def wrong_command(t: Trial, kind: str) -> None:
    """subprocess_shell() is given a command that is no str or bytes."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        command: Any = {"list": ["true"], "int": 123, "none": None}[kind]
        await refuse(t, loop.subprocess_shell, command)

    t.run(main())


FAILURES: dict[str, tuple[type[OSError], ...]] = {
    "missing": (FileNotFoundError,),
    "not-executable": (PermissionError,),
    "folder": (PermissionError,),
    "cwd": (FileNotFoundError,),
}


@case(
    "PROC-012.error",
    variants=tuple(FAILURES),
    expected="FileNotFoundError or PermissionError; no child, no zombie and no pipe is left, and "
    "the protocol hears nothing",
)
def exec_fails(t: Trial, kind: str) -> None:
    """A program is started that is missing, not executable or a folder, or in a missing folder;
    five times, and what is left is counted after the first."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        plain = t.directory / "plain"
        plain.write_text("no program")
        program = {"missing": t.directory / "missing", "not-executable": plain}.get(
            kind, t.directory if kind == "folder" else Path("/bin/true")
        )
        options: Any = {"cwd": str(t.directory / "nowhere")} if kind == "cwd" else {}
        protocols: list[ProcessRecorder] = []

        def factory() -> ProcessRecorder:
            protocols.append(ProcessRecorder(loop))
            return protocols[-1]

        held: list[int] = []
        for _ in range(5):
            with t.raises(*FAILURES[kind]):
                await loop.subprocess_exec(factory, str(program), **options)
            for _ in range(5):  # some loops close descriptors in a later turn
                await asyncio.sleep(0)
            held.append(pipes_held())
        t.equal("pipes more than after the first", held[-1] - held[0], 0)
        t.equal("children", children(), set())
        t.equal("callbacks", [call for made in protocols for call in made.calls], [])

    t.run(main())


@case("PROC-012.python", expected="the loop works on: the next child runs")
def after_failure(t: Trial) -> None:
    """A child cannot be started; then one is started that can."""

    async def main() -> None:
        with t.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec(str(t.directory / "missing"), stdout=PIPE)
        seen = await output(sys.executable, "-S", "-c", "print('well')")
        t.equal("what the next one printed", seen, b"well\n")

    t.run(main())
