"""PROC: the streams, the surroundings and the options of children."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.processes import (
    finished,
    output,
    start,
)
from loopgauge.conformance.trial import Trial

PIPE, DEVNULL, STDOUT = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT


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
