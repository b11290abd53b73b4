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


@case(
    "PROC-010.null",
    expected="reading gives the end at once, writing works, and there are no pipes",
)
def devnull(t: Trial) -> None:
    """All three streams of a child are DEVNULL; it reads its input and tells by its exit code that
    it was empty."""

    async def main() -> None:
        transport, protocol = await start(
            "/bin/sh", "-c", "read x && exit 1; echo out; echo err >&2; exit 5",
            stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        pipes = [transport.get_pipe_transport(fd) for fd in range(3)]
        t.equal("pipe transports", pipes, [None, None, None])
        await finished(transport, protocol)
        t.equal("get_returncode()", transport.get_returncode(), 5)
        t.equal(
            "callbacks", protocol.calls, ["connection_made", "process_exited", "connection_lost"]
        )

    t.run(main())


@case(
    "PROC-010.inherited",
    variants=("0", "1", "2"),
    expected="the child's stream is the same file as this process's",
)
def inherited(t: Trial, number: str) -> None:
    """One stream of a child is None; the child says by another stream what its own one is."""

    async def main() -> None:
        names = ("stdin", "stdout", "stderr")
        streams: dict[str, Any] = dict.fromkeys(names, DEVNULL)
        through = 2 if number == "1" else 1
        streams.update({names[int(number)]: None, names[through]: PIPE})
        transport, protocol = await start(
            "/bin/sh", "-c", f"x=$(readlink /proc/$$/fd/{number}); echo $x >&{through}", **streams
        )
        await finished(transport, protocol)
        ours = str(Path(f"/proc/self/fd/{number}").readlink())
        t.equal("what the child's is", protocol.data[through].decode().strip(), ours)

    t.run(main())


@case(
    "PROC-010.merged",
    expected="both streams come as standard output, in the order of writing, and there is no pipe "
    "for standard error",
)
def merged(t: Trial) -> None:
    """stderr=STDOUT: the child writes by turns to both."""

    async def main() -> None:
        transport, protocol = await start(
            "/bin/sh", "-c", "echo a; echo b >&2; echo c", stdin=DEVNULL, stderr=STDOUT
        )
        t.equal("get_pipe_transport(2)", transport.get_pipe_transport(2), None)
        await finished(transport, protocol)
        t.equal("standard output", protocol.data[1], b"a\nb\nc\n")
        t.equal("standard error", protocol.data[2], b"")

    t.run(main())


@case(
    "PROC-010.own",
    variants=("number", "file"),
    expected="the child reads and writes these files, which stay open here; there are no pipes",
)
def own_files(t: Trial, kind: str) -> None:
    """stdin and stdout of a child are open files of this process, as descriptors or as file
    objects."""

    async def main() -> None:
        (t.directory / "in").write_text("hello")
        with (t.directory / "in").open("rb") as given, (t.directory / "out").open("w+b") as taken:
            ends: Any = (given.fileno(), taken.fileno()) if kind == "number" else (given, taken)
            transport, protocol = await start("/bin/cat", stdin=ends[0], stdout=ends[1])
            pipes = [transport.get_pipe_transport(fd) for fd in (0, 1)]
            t.equal("pipe transports", pipes, [None, None])
            await finished(transport, protocol)
            taken.seek(0)
            t.equal("the file that was written", taken.read(), b"hello")

    t.run(main())


@case(
    "PROC-010.defaults",
    expected="PIPE for all three by subprocess_exec(), None for all three by the Process functions",
)
def defaults(t: Trial) -> None:
    """Children are started without a word about their streams."""

    async def main() -> None:
        transport, protocol = await start("/bin/true")
        there = [transport.get_pipe_transport(fd) is not None for fd in range(3)]
        t.equal("pipe transports of subprocess_exec()", there, [True, True, True])
        await finished(transport, protocol)
        child = await asyncio.create_subprocess_exec("/bin/true")
        t.equal("streams of a Process", (child.stdin, child.stdout, child.stderr), (None,) * 3)
        await child.wait()

    t.run(main())


@case("PROC-011.cwd", variants=("str", "path"), expected="the child runs in that folder")
def cwd(t: Trial, kind: str) -> None:
    """A folder is given as cwd, and the child prints where it is."""

    async def main() -> None:
        folder: Any = t.directory if kind == "path" else str(t.directory)
        seen = (await output("/bin/pwd", "-P", cwd=folder)).decode().strip()
        t.true("it is the folder", Path(seen).samefile(t.directory))

    t.run(main())


@case("PROC-011.env", expected="the child has just these variables")
def environment(t: Trial) -> None:
    """env names one variable; this process has others."""

    async def main() -> None:
        os.environ["LG_OTHER"] = "1"
        seen = await output("/usr/bin/env", env={"LG_ONE": "a b"})
        t.equal("its variables", seen, b"LG_ONE=a b\n")
        del os.environ["LG_OTHER"]

    t.run(main())


@case("PROC-011.inherited-env", expected="the child has them as they are when it is started")
def inherited_environment(t: Trial) -> None:
    """No env is given, and a variable of this process was changed a moment ago."""

    async def main() -> None:
        os.environ["LG_LATE"] = "yes"
        t.equal("its value", await output("/bin/sh", "-c", "echo $LG_LATE"), b"yes\n")
        del os.environ["LG_LATE"]

    t.run(main())


@case("PROC-011.session", expected="the child leads a session of its own; without it, it does not")
def session(t: Trial) -> None:
    """start_new_session=True and the default."""

    async def main() -> None:
        for wanted in (True, False):
            transport, protocol = await start("/bin/cat", start_new_session=wanted)
            pid = transport.get_pid()
            t.equal(f"leads its session ({wanted})", os.getsid(pid) == pid, wanted)
            transport.get_pipe_transport(0).close()
            await finished(transport, protocol)

    t.run(main())


@case("PROC-011.preexec", expected="the function is called, in the child")
def preexec(t: Trial) -> None:
    """preexec_fn sets the child's file mode mask."""

    async def main() -> None:
        before = os.umask(0o022)
        os.umask(before)
        seen = await output("/bin/sh", "-c", "umask", preexec_fn=lambda: os.umask(0o077) and None)
        t.equal("the child's mask", int(seen, 8), 0o077)
        after = os.umask(before)
        t.equal("the mask of this process", after, before)

    t.run(main())


@case(
    "PROC-011.pass-fds",
    expected="the child has that descriptor, and no other one of this process",
)
def pass_fds(t: Trial) -> None:
    """One of two open, inheritable pipes is named in pass_fds; the child lists its descriptors."""

    async def main() -> None:
        passed, other = os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_RDONLY)
        os.set_inheritable(other, True)
        listing = f"test -e /proc/self/fd/{passed}; echo $?; test -e /proc/self/fd/{other}; echo $?"
        seen = await output("/bin/sh", "-c", listing, pass_fds=(passed,))
        t.equal("0 for one that is there, 1 for one that is not", seen, b"0\n1\n")
        os.close(passed)
        os.close(other)

    t.run(main())


@case("PROC-011.close-fds", expected="the child has the inheritable descriptor")
def close_fds(t: Trial) -> None:
    """close_fds=False, with an inheritable descriptor open."""

    async def main() -> None:
        fd = os.open(os.devnull, os.O_RDONLY)
        os.set_inheritable(fd, True)
        seen = await output(
            "/bin/sh", "-c", f"test -e /proc/self/fd/{fd}; echo $?", close_fds=False
        )
        t.equal("0 if it is there", seen, b"0\n")
        os.close(fd)

    t.run(main())


@case("PROC-011.executable", expected="that program runs, under the name of the first argument")
def executable(t: Trial) -> None:
    """executable names the program, and the first argument is another name."""

    async def main() -> None:
        seen = await output("name", "-c", "echo $0", executable="/bin/sh")
        t.equal("what $0 is", seen, b"name\n")

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
