"""PROC: transports and protocols of running children."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.processes import (
    ProcessRecorder,
    children,
    exists,
    finished,
    pipes_held,
    start,
)
from loopgauge.conformance.trial import Trial

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL


@case(
    "PROC-003.order",
    expected="connection_made first; the data of each pipe before its end; process_exited once; "
    "connection_lost(None) last",
)
def order_of_events(t: Trial) -> None:
    """A child copies its input to its output and writes to its standard error; its input is
    closed."""

    async def main() -> None:
        transport, protocol = await start("/bin/sh", "-c", "cat; echo err >&2; exit 4")
        stdin = transport.get_pipe_transport(0)
        stdin.write(b"copied")
        stdin.close()
        await finished(transport, protocol)
        calls = protocol.calls
        t.equal("the first callback", calls[0], "connection_made")
        t.equal("the last callback", calls[-1], "connection_lost")
        t.equal("its argument", protocol.error, None)
        wanted = ["connection_lost", "connection_made", "data 1", "data 2", "end 0", "end 1"]
        wanted += ["end 2", "process_exited"]
        t.equal("all callbacks, sorted", sorted(calls), wanted)
        t.equal("arguments of pipe_connection_lost", protocol.errors, dict.fromkeys(range(3)))
        t.true("data 1 before end 1", calls.index("data 1") < calls.index("end 1"))
        t.true("data 2 before end 2", calls.index("data 2") < calls.index("end 2"))
        t.equal("the data", protocol.data, {1: b"copied", 2: b"err\n"})

    t.run(main())


@case(
    "PROC-003.closes-early",
    seconds=5.0,
    expected="pipe_connection_lost(1, None) while the child runs",
)
def child_closes_early(t: Trial) -> None:
    """A child closes its standard output and then waits for its input."""

    async def main() -> None:
        transport, protocol = await start("/bin/sh", "-c", "echo x; exec 1>&-; read y; exit 2")
        await protocol.ended(1)
        t.equal("get_returncode()", transport.get_returncode(), None)
        t.equal("callbacks", protocol.calls, ["connection_made", "data 1", "end 1"])
        transport.get_pipe_transport(0).write(b"\n")
        await finished(transport, protocol)
        t.equal("get_returncode()", transport.get_returncode(), 2)

    t.run(main())


@case(
    "PROC-003.exits-first",
    expected="process_exited is called while the pipe is open; connection_lost only after the end "
    "of the pipe, with everything that was written to it",
)
def exits_first(t: Trial) -> None:
    """A child leaves its standard output to a grandchild, which ends only when the case lets
    it."""

    async def main() -> None:
        reading, writing = os.pipe()
        transport, protocol = await start(
            "/bin/sh", "-c", f"(read x </proc/self/fd/{reading}; echo late) & exit 6",
            stdin=DEVNULL, stderr=DEVNULL, pass_fds=(reading,),
        )  # fmt: skip
        await protocol.exited
        await asyncio.sleep(0)
        t.equal("get_returncode()", transport.get_returncode(), 6)
        t.equal("callbacks so far", protocol.calls, ["connection_made", "process_exited"])
        os.write(writing, b"\n")
        await finished(transport, protocol)
        t.equal("the data", protocol.data[1], b"late\n")
        t.equal(
            "the callbacks after it", protocol.calls[2:], ["data 1", "end 1", "connection_lost"]
        )
        os.close(reading)
        os.close(writing)

    t.run(main())


@case(
    "PROC-004.codes",
    variants=("0", "1", "127", "255"),
    expected="the code that the child ended with, from process_exited on",
)
def exit_codes(t: Trial, code: str) -> None:
    """A child ends with a code; get_returncode() is asked while it runs, in process_exited, and
    afterwards."""

    class Asking(ProcessRecorder):
        def process_exited(self) -> None:
            t.equal("within process_exited", self.transport.get_returncode(), int(code))
            super().process_exited()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport: Any
        transport, protocol = await loop.subprocess_exec(
            lambda: Asking(loop), "/bin/sh", "-c", f"read x; exit {code}"
        )
        t.equal("while it runs", transport.get_returncode(), None)
        transport.get_pipe_transport(0).close()
        await finished(transport, protocol)
        t.equal("afterwards", transport.get_returncode(), int(code))

    t.run(main())


@case("PROC-004.pid", expected="the child's own number, also after its end")
def pid(t: Trial) -> None:
    """A child prints its process number."""

    async def main() -> None:
        transport, protocol = await start("/bin/sh", "-c", "echo $$")
        number = transport.get_pid()
        await finished(transport, protocol)
        t.equal("what the child printed", int(protocol.data[1]), number)
        t.equal("get_pid() after its end", transport.get_pid(), number)

    t.run(main())


@case(
    "PROC-005.pipes",
    expected="a transport to write for 0, transports to read for 1 and 2, None for other numbers",
)
def pipe_transports(t: Trial) -> None:
    """The pipe transports of `cat` are asked for and used."""

    async def main() -> None:
        transport, protocol = await start("/bin/cat")
        stdin, stdout = transport.get_pipe_transport(0), transport.get_pipe_transport(1)
        t.equal("get_pipe_transport(3)", transport.get_pipe_transport(3), None)
        stdin.writelines([b"one", b"two"])
        t.equal("what comes back", await protocol.received(1, 6), b"onetwo")
        stdout.pause_reading()
        stdin.write(b"three")
        for _ in range(10):
            await asyncio.sleep(0)
        t.equal("while reading is paused", protocol.data[1], b"onetwo")
        stdout.resume_reading()
        t.equal("afterwards", await protocol.received(1, 11), b"onetwothree")
        stdin.close()
        await finished(transport, protocol)
        t.equal("the third pipe's end", protocol.errors[2], None)

    t.run(main())


@case(
    "PROC-005.some",
    expected="a transport where PIPE was asked for, None elsewhere",
)
def some_pipes(t: Trial) -> None:
    """Only standard error is a pipe."""

    async def main() -> None:
        transport, protocol = await start("/bin/true", stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
        there = [transport.get_pipe_transport(fd) is not None for fd in range(3)]
        t.equal("which are there", there, [False, False, True])
        await finished(transport, protocol)
        ended = [call for call in protocol.calls if call.startswith("end")]
        t.equal("which end", ended, ["end 2"])

    t.run(main())


SIGNALS = {"kill": signal.SIGKILL, "terminate": signal.SIGTERM, "send_signal": signal.SIGUSR1}


@case(
    "PROC-006.signal",
    variants=tuple(SIGNALS),
    expected="get_returncode() is minus the number of SIGKILL, SIGTERM or the signal given",
)
def signals(t: Trial, method: str) -> None:
    """A child that waits is ended by kill(), terminate() or send_signal(SIGUSR1)."""

    async def main() -> None:
        transport, protocol = await start("/bin/cat")
        number = SIGNALS[method]
        result = transport.send_signal(number) if method == "send_signal" else end(transport)
        t.equal(f"{method}() returns", result, None)
        await finished(transport, protocol)
        t.equal("get_returncode()", transport.get_returncode(), -number)

    def end(transport: Any) -> Any:
        return getattr(transport, method)()

    t.run(main())


@case(
    "PROC-006.handled",
    expected="the child handles the signal and lives on",
)
def handled_signal(t: Trial) -> None:
    """A child has a trap for SIGUSR1, says that it is ready, and gets the signal."""

    async def main() -> None:
        script = "trap 'echo caught' USR1; echo ready; while read x; do :; done; exit 9"
        transport, protocol = await start("/bin/sh", "-c", script)
        await protocol.received(1, 6)
        transport.send_signal(signal.SIGUSR1)
        transport.get_pipe_transport(0).write(b"\n\n")
        await protocol.received(1, 13)
        transport.get_pipe_transport(0).close()
        await finished(transport, protocol)
        t.equal("what it printed", protocol.data[1], b"ready\ncaught\n")
        t.true("it ended by itself", transport.get_returncode() >= 0)

    t.run(main())


@case(
    "PROC-006.gone",
    variants=tuple(SIGNALS),
    expected="ProcessLookupError",
)
def signal_after_end(t: Trial, method: str) -> None:
    """A signal is sent after the child has ended and connection_lost was called."""

    async def main() -> None:
        transport, protocol = await start("/bin/true")
        await protocol.lost
        await asyncio.sleep(0)
        arguments = [SIGNALS[method]] if method == "send_signal" else []
        with t.raises(ProcessLookupError):
            getattr(transport, method)(*arguments)
        transport.close()

    t.run(main())


@case(
    "PROC-007.running",
    expected="the child is killed and reaped: connection_lost is called, no process of that number "
    "is left; a second close() does nothing",
)
def close_running(t: Trial) -> None:
    """close() is called twice while the child runs, which ignores SIGTERM."""

    async def main() -> None:
        script = "trap '' TERM; echo ready; exec sleep 100"
        transport, protocol = await start("/bin/sh", "-c", script, stdin=DEVNULL)
        await protocol.received(1, 6)
        number = transport.get_pid()
        transport.close()
        transport.close()
        await protocol.lost
        t.equal("the process is there", exists(number), False)
        t.equal("get_returncode()", transport.get_returncode(), -signal.SIGKILL)
        t.equal("pipes that ended", sorted(protocol.errors), [1, 2])

    t.run(main())


@case(
    "PROC-007.ended",
    expected="the exit code stays what it was",
)
def close_ended(t: Trial) -> None:
    """close() is called in process_exited, when the child has ended by itself."""

    class Closing(ProcessRecorder):
        def process_exited(self) -> None:
            super().process_exited()
            self.transport.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: Closing(loop), "/bin/sh", "-c", "exit 11"
        )
        await protocol.lost
        t.equal("get_returncode()", transport.get_returncode(), 11)
        t.equal("is_closing()", transport.is_closing(), True)

    t.run(main())


@case(
    "PROC-016.cancel",
    variants=("exec", "shell"),
    expected="CancelledError, and neither the child nor a pipe is left",
)
def cancel_creation(t: Trial, kind: str) -> None:
    """A task that starts a child is cancelled before the start is finished."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        starting: Any
        if kind == "exec":
            starting = loop.subprocess_exec(lambda: ProcessRecorder(loop), "/bin/sleep", "100")
        else:
            starting = loop.subprocess_shell(lambda: ProcessRecorder(loop), "exec sleep 100")
        before = pipes_held()
        task = asyncio.ensure_future(starting)
        await asyncio.sleep(0)
        task.cancel()
        with t.raises(asyncio.CancelledError):
            await task
        while children() or pipes_held() > before:
            await asyncio.sleep(0.001)
        t.equal("children", children(), set())

    t.run(main())


@case(
    "PROC-022.dropped",
    leaves=("warnings",),
    expected="a ResourceWarning that says 'unclosed'",
)
def dropped(t: Trial) -> None:
    """The last reference to a subprocess transport is dropped, which was not closed although its
    child has ended."""

    async def main() -> None:
        transport, protocol = await start("/bin/true")
        await protocol.lost
        protocol.transport = None
        del transport
        del protocol

    t.run(main())
    t.spin()
    t.collect()
    told = [str(seen.message) for seen in t.warnings if seen.category is ResourceWarning]
    t.true("a warning says 'unclosed'", any("unclosed" in text for text in told))


@case(
    "PROC-023.popen",
    expected="an object with the child's pid, and the transport's pipes by their name",
)
def extra_info(t: Trial) -> None:
    """get_extra_info('subprocess') and, of a pipe transport, get_extra_info('pipe')."""

    async def main() -> None:
        transport, protocol = await start("/bin/cat")
        popen = transport.get_extra_info("subprocess")
        t.true("'subprocess' is a subprocess.Popen", isinstance(popen, subprocess.Popen))
        t.equal("its pid", popen.pid, transport.get_pid())
        stdin = transport.get_pipe_transport(0)
        t.true("'pipe' is its stdin", stdin.get_extra_info("pipe") is popen.stdin)
        default = transport.get_extra_info("nothing of the kind", "default")
        t.equal("an unknown name", default, "default")
        stdin.close()
        await finished(transport, protocol)

    t.run(main())
