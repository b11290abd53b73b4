"""PROC: asyncio.subprocess.Process, and many children at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from typing import Any

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.processes import children, exists, output
from loopgauge.conformance.trial import Trial

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL


async def child(*command: str, **options: Any) -> Any:
    return await asyncio.create_subprocess_exec(*command, **options)


@case(
    "PROC-013.communicate",
    expected="(b'two', b'err') for PIPEs, None for what is no pipe; returncode is set",
)
def communicate(t: Trial) -> None:
    """communicate() with input and both outputs; then without standard error; then without any
    pipe."""

    async def main() -> None:
        script = "tr a-z A-Z; printf err >&2; exit 3"
        one = await child("/bin/sh", "-c", script, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        t.equal("returncode while it runs", one.returncode, None)
        t.equal("with both", await one.communicate(b"two"), (b"TWO", b"err"))
        t.equal("returncode", one.returncode, 3)
        two = await child("/bin/sh", "-c", "cat", stdin=PIPE, stdout=PIPE)
        t.equal("with one", await two.communicate(b"in"), (b"in", None))
        three = await child("/bin/true")
        t.equal("with none", await three.communicate(), (None, None))

    t.run(main())


@case(
    "PROC-013.large",
    expected="everything comes back; nobody waits for the other for ever",
)
def communicate_much(t: Trial) -> None:
    """communicate() gives 1 MB to `cat`, more than any pipe holds, and reads it back."""

    async def main() -> None:
        pattern = b"".join(number.to_bytes(4, "big") for number in range(250_000))
        made = await child("/bin/cat", stdin=PIPE, stdout=PIPE)
        seen, _ = await made.communicate(pattern)
        t.equal("how many bytes", len(seen), len(pattern))
        t.true("they are the same", seen == pattern)

    t.run(main())


@case("PROC-013.empty-input", expected="the child sees the end of its input")
def communicate_nothing(t: Trial) -> None:
    """communicate(b'') is called while the child's input is a pipe."""

    async def main() -> None:
        made = await child("/bin/cat", stdin=PIPE, stdout=PIPE)
        t.equal("communicate()", await made.communicate(b""), (b"", None))
        t.equal("returncode", made.returncode, 0)

    t.run(main())


@case("PROC-013.no-input", since="3.12", expected="the child sees the end of its input")
def communicate_none(t: Trial) -> None:
    """communicate() is called without input while the child's input is a pipe."""

    async def main() -> None:
        made = await child("/bin/cat", stdin=PIPE, stdout=PIPE)
        t.equal("communicate()", await made.communicate(), (b"", None))
        t.equal("returncode", made.returncode, 0)

    t.run(main())


@case(
    "PROC-013.broken-pipe",
    expected="no exception: what the child did not read is ignored",
)
def communicate_broken(t: Trial) -> None:
    """communicate() gives 1 MB to a child that ends without reading."""

    async def main() -> None:
        made = await child("/bin/true", stdin=PIPE, stdout=PIPE)
        t.equal("communicate()", await made.communicate(bytes(1_000_000)), (b"", None))
        t.equal("returncode", made.returncode, 0)

    t.run(main())


@case(
    "PROC-013.wait",
    expected="all of them return the exit code, and so does a later wait()",
)
def waits(t: Trial) -> None:
    """Three tasks wait() for a child at the same time."""

    async def main() -> None:
        made = await child("/bin/sh", "-c", "read x; exit 21", stdin=PIPE)
        tasks = [asyncio.ensure_future(made.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        made.stdin.close()
        t.equal("what they return", await asyncio.gather(*tasks), [21, 21, 21])
        t.equal("a later wait()", await made.wait(), 21)
        t.equal("returncode", made.returncode, 21)

    t.run(main())


@case(
    "PROC-013.streams",
    expected="lines come as they are written; the streams are a StreamWriter and StreamReaders",
)
def streams(t: Trial) -> None:
    """A dialogue with a child, line by line, by its streams."""

    async def main() -> None:
        script = "while read x; do echo got $x; done; echo bye >&2"
        made = await child("/bin/sh", "-c", script, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        for word in (b"one", b"two"):
            made.stdin.write(word + b"\n")
            await made.stdin.drain()
            t.equal("its answer", await made.stdout.readline(), b"got " + word + b"\n")
        made.stdin.close()
        await made.stdin.wait_closed()
        t.equal("the rest of stdout", await made.stdout.read(), b"")
        t.equal("stderr", await made.stderr.read(), b"bye\n")
        t.equal("wait()", await made.wait(), 0)

    t.run(main())


@case(
    "PROC-013.signals",
    variants=("kill", "terminate", "send_signal"),
    expected="wait() returns minus the number of the signal",
)
def process_signals(t: Trial, method: str) -> None:
    """kill(), terminate() and send_signal(SIGHUP) of a Process."""

    async def main() -> None:
        made = await child("/bin/sleep", "100")
        if method == "send_signal":
            made.send_signal(signal.SIGHUP)
        else:
            getattr(made, method)()
        wanted = {"kill": -9, "terminate": -15, "send_signal": -1}[method]
        t.equal("wait()", await made.wait(), wanted)
        t.equal("returncode", made.returncode, wanted)

    t.run(main())


@case(
    "PROC-013.limit",
    expected="the child is held back by its pipe while nobody reads, and all data is read later",
)
def back_pressure(t: Trial) -> None:
    """A child writes 2 MB to a stream with limit=1000, of which the first line is read, and the
    rest after 20 turns."""

    async def main() -> None:
        made = await child(
            "/bin/sh", "-c", "echo first; head -c 2000000 /dev/zero", stdout=PIPE, limit=1000
        )
        t.equal("the first line", await made.stdout.readline(), b"first\n")
        for _ in range(20):
            await asyncio.sleep(0)
        t.equal("the child has ended", made.returncode is not None, False)
        t.equal("the rest", len(await made.stdout.read()), 2_000_000)
        t.equal("wait()", await made.wait(), 0)

    t.run(main())


@case(
    "PROC-014.exited",
    expected="BrokenPipeError or ConnectionResetError from drain(), or from write() before it",
)
def write_to_exited(t: Trial) -> None:
    """write() and drain() are called up to 1000 times for a child that ends without reading."""

    async def main() -> None:
        made = await child("/bin/true", stdin=PIPE)
        with t.raises(BrokenPipeError, ConnectionResetError, what="write() and drain()"):
            for _ in range(1000):
                made.stdin.write(bytes(10_000))
                await made.stdin.drain()
        t.equal("wait()", await made.wait(), 0)

    t.run(main())


@case(
    "PROC-014.later",
    expected="BrokenPipeError or ConnectionResetError from drain(), or from write() before it",
)
def write_after_exit(t: Trial) -> None:
    """The child's end has been waited for when write() and drain() are called."""

    async def main() -> None:
        made = await child("/bin/true", stdin=PIPE)
        t.equal("wait()", await made.wait(), 0)
        while not made.stdin.is_closing():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        with t.raises(BrokenPipeError, ConnectionResetError, what="write() and drain()"):
            made.stdin.write(b"too late")
            await made.stdin.drain()

    t.run(main())


@case(
    "PROC-015.cancel",
    expected="CancelledError from that wait(); the child runs on, and can be waited for again",
)
def cancel_wait(t: Trial) -> None:
    """A task that waits for a child is cancelled."""

    async def main() -> None:
        made = await child("/bin/sh", "-c", "read x; echo $x; exit 8", stdin=PIPE, stdout=PIPE)
        task = asyncio.ensure_future(made.wait())
        await asyncio.sleep(0)
        task.cancel()
        with t.raises(asyncio.CancelledError):
            await task
        t.equal("returncode", made.returncode, None)
        t.equal("the process is there", exists(made.pid), True)
        t.equal("communicate()", await made.communicate(b"alive\n"), (b"alive\n", None))
        t.equal("wait()", await made.wait(), 8)

    t.run(main())


@case(
    "PROC-017.input",
    expected="the first child sees the end of its input although the second one lives",
)
def stdin_not_inherited(t: Trial) -> None:
    """Two children wait for their input, with close_fds=False so that nothing but the flags of the
    descriptors keeps them apart; the input of the first is closed."""

    async def main() -> None:
        options: Any = {"stdin": PIPE, "stdout": PIPE, "close_fds": False}
        first, second = await child("/bin/cat", **options), await child("/bin/cat", **options)
        t.equal("the first", await first.communicate(b"a"), (b"a", None))
        t.equal("the second meanwhile", second.returncode, None)
        t.equal("the second", await second.communicate(b"b"), (b"b", None))

    t.run(main())


@case(
    "PROC-018.thread",
    expected="the child's output and exit code, as in the main thread",
)
def other_thread(t: Trial) -> None:
    """A loop that was made in, and runs in, a thread that is not the main one starts a child."""

    async def work() -> tuple[bytes, int | None]:
        made = await child("/bin/sh", "-c", "echo here; exit 5", stdout=PIPE)
        seen, _ = await made.communicate()
        return seen, made.returncode

    def run() -> None:
        loop = t.factory()
        try:
            results.append(loop.run_until_complete(work()))
        except BaseException as error:
            results.append(error)
        finally:
            loop.close()

    results: list[Any] = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    t.equal("what it saw", results, [(b"here\n", 5)])


@case(
    "PROC-018.two-loops",
    expected="each loop hears of its own children",
)
def two_loops(t: Trial) -> None:
    """A loop in another thread and the one in the main thread start five children each."""

    async def work(first: int) -> list[int]:
        made = [await child("/bin/sh", "-c", f"exit {first + n}") for n in range(5)]
        return list(await asyncio.gather(*(one.wait() for one in made)))

    def run() -> None:
        loop = t.factory()
        try:
            results.append(loop.run_until_complete(work(20)))
        except BaseException as error:
            results.append(error)
        finally:
            loop.close()

    results: list[Any] = []
    thread = threading.Thread(target=run)
    thread.start()
    ours = t.run(work(10))
    thread.join()
    t.equal("in the main thread", ours, [10, 11, 12, 13, 14])
    t.equal("in the other thread", results, [[20, 21, 22, 23, 24]])


@case(
    "PROC-019.many",
    expected="all exit codes are right, no zombie is left, and the exit code of the child that "
    "subprocess.Popen started is still there for it",
)
def many(t: Trial) -> None:
    """60 children, 20 at a time, end with exit codes of their own, while a child of
    subprocess.Popen ends too."""

    async def run(code: int) -> int:
        made = await child("/bin/sh", "-c", f"exit {code}", stdin=DEVNULL)
        ended: int = await made.wait()
        return ended

    async def main() -> None:
        foreign = subprocess.Popen(["/bin/sh", "-c", "exit 77"])
        for first in (0, 20, 40):
            codes = await asyncio.gather(*(run(first + n) for n in range(20)))
            t.equal("exit codes", codes, list(range(first, first + 20)))
        t.equal("children that are left", children() - {foreign.pid}, set())
        t.equal("exit code for subprocess.Popen", foreign.wait(), 77)

    t.run(main())


@case(
    "PROC-020.nothing-to-do",
    expected="the child runs, and no DeprecationWarning is given",
)
def no_watcher(t: Trial) -> None:
    """A loop that is nobody's current one starts a child, without a word about child watchers."""

    async def main() -> None:
        t.equal("what it printed", await output("/bin/echo", "fine"), b"fine\n")

    t.run(main())
    told = [str(seen.message) for seen in t.warnings if seen.category is DeprecationWarning]
    t.equal("warnings about watchers", [text for text in told if "watcher" in text], [])


@case("PROC-021.after-exit", expected="everything that the child wrote")
def read_after_exit(t: Trial) -> None:
    """A child writes 30 kB and ends; its end is waited for, and then its output is read."""

    async def main() -> None:
        made = await child("/bin/sh", "-c", "head -c 30000 /dev/zero; exit 2", stdout=PIPE)
        t.equal("wait()", await made.wait(), 2)
        t.equal("bytes that were read", len(await made.stdout.read()), 30_000)

    t.run(main())


@case(
    "PROC-024.grandchild",
    expected="wait() returns when the child has ended, not when its pipe has",
)
def wait_with_open_pipe(t: Trial) -> None:
    """A child leaves its standard output to a grandchild that ends only when the case lets it."""

    async def main() -> None:
        reading, writing = os.pipe()
        made = await child(
            "/bin/sh", "-c", f"(read x </proc/self/fd/{reading}; echo late) & exit 6",
            stdin=DEVNULL, stdout=PIPE, pass_fds=(reading,),
        )  # fmt: skip
        t.equal("wait()", await asyncio.wait_for(made.wait(), 5), 6)
        os.write(writing, b"\n")
        t.equal("its output", await made.stdout.read(), b"late\n")
        os.close(reading)
        os.close(writing)

    t.run(main())
