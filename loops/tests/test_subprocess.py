"""Children: how they are started, heard of, signalled and reaped, and whose they are."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from loop_testing import process, target
from loop_testing.compare import on_both, quiet

PIPE = asyncio.subprocess.PIPE
SLEEP = ("sleep", "1000")


#: For what a thread that reaps each child makes different.
threads_reap = pytest.mark.skipif(
    target.is_stock() and sys.version_info < (3, 12), reason="stock 3.11 reaps in a thread"
)


def ours(loop: object) -> bool:
    return type(loop).__module__.startswith("loopgauge.")


def children() -> list[str]:
    """The process's children, zombies too, as the kernel lists them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(os.getpid()):
            found.append(stat.parent.name + fields[0])
    return found


def descriptors() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


def close_and_forget(loops: list[asyncio.AbstractEventLoop]) -> None:
    loops.pop().close()
    gc.collect()


class Remembers(asyncio.SubprocessProtocol):
    def __init__(self) -> None:
        self.told: list[object] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.told.append("made")

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.told.append((fd, data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self.told.append((fd, type(exc)))

    def process_exited(self) -> None:
        self.told.append("exited")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(("lost", type(exc)))
        self.done.set_result(None)


@pytest.mark.parametrize(
    ("script", "returncode"), [("exit 0", 0), ("exit 77", 77), ("kill -9 $$", -9), ("kill $$", -15)]
)
def test_exit_status(loop, script: str, returncode: int) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_shell(script)
        assert await child.wait() == returncode
        assert child.returncode == returncode
        assert await child.wait() == returncode

    loop.run_until_complete(main())
    assert children() == []


def test_what_the_protocol_is_told() -> None:
    def scenario(loop):
        async def main():
            transport, protocol = await loop.subprocess_exec(
                Remembers, "sh", "-c", "read a; echo $a; echo b >&2; exit 3"
            )
            names = [transport.get_pipe_transport(fd) is not None for fd in (0, 1, 2, 3)]
            transport.get_pipe_transport(0).write(b"x\n")
            await protocol.done
            return names, transport.get_returncode(), protocol.told

        names, returncode, told = loop.run_until_complete(main())
        # Which pipe is first, and whether the exit comes before their end, is the kernel's affair.
        return names, returncode, told[0], sorted(map(repr, told[1:-1])), told[-1]

    assert on_both(scenario)[1] == 3


def test_communicate() -> None:
    data = os.urandom(1000) * 1000

    def scenario(loop):
        async def main():
            child = await asyncio.create_subprocess_exec(
                "sh", "-c", "tee /dev/stderr", stdin=PIPE, stdout=PIPE, stderr=PIPE
            )
            return *await child.communicate(data), child.returncode

        return loop.run_until_complete(main())

    assert on_both(scenario) == (data, data, 0)


def test_reading_piece_by_piece(loop) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        assert child.stdin
        assert child.stdout
        for number in range(50):
            line = b"%d" % number * (number * 200 + 1) + b"\n"
            child.stdin.write(line)
            await child.stdin.drain()
            assert await child.stdout.readline() == line
        child.stdin.close()
        assert await child.stdout.read() == b""
        assert await child.wait() == 0

    loop.run_until_complete(main())


def test_a_slow_reader_holds_little(loop) -> None:
    """What the reader has not asked for stays in the pipe."""

    async def main() -> None:
        child = await asyncio.create_subprocess_exec(
            "head", "-c", "3000000", "/dev/zero", stdout=PIPE, limit=1000
        )
        assert child.stdout
        for _ in range(100):
            await asyncio.sleep(0)
            assert len(child.stdout._buffer) <= 2 * 256 * 1024
        total = 0
        while data := await child.stdout.read(5000):
            total += len(data)
        assert total == 3_000_000
        assert await child.wait() == 0

    loop.run_until_complete(main())


def test_options_go_to_popen(loop, tmp_path: Path) -> None:
    async def run(*args: str, **options: object) -> bytes:
        child = await asyncio.create_subprocess_exec(*args, stdout=PIPE, **options)
        out, _ = await child.communicate()
        return out.strip()

    async def main() -> None:
        assert await run("pwd", cwd=tmp_path) == os.fsencode(tmp_path.resolve())
        assert await run("env", env={"ONLY": "this"}) == b"ONLY=this"
        program = "import os; print(os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid())"
        assert await run(sys.executable, "-c", program, start_new_session=True) == b"True True"
        assert await run(sys.executable, "-c", program, process_group=0) == b"False True"
        assert await run("sh", "-c", "umask", umask=0o077) in (b"0077", b"077")
        assert await run("true", executable="/bin/pwd", cwd="/") == b"/"
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        await run("sh", "-c", f"echo passed >/proc/self/fd/{writing}", pass_fds=(writing,))
        os.close(writing)
        assert os.read(reading, 100) == b"passed\n"
        os.close(reading)
        assert await run("sh", "-c", "echo $0") == b"sh"

    loop.run_until_complete(main())


def test_refused_options() -> None:
    def scenario(loop):
        async def main():
            refused = []
            for options in (
                {"universal_newlines": True},
                {"text": True},
                {"encoding": "utf-8"},
                {"errors": "strict"},
                {"bufsize": 100},
                {"shell": True},
                {"no_such_option": 1},
                {"cwd": "/no/such/folder"},
            ):
                with pytest.raises((ValueError, TypeError, OSError)) as caught:
                    await asyncio.create_subprocess_exec("true", **options)
                refused.append(caught.type)
            with pytest.raises(FileNotFoundError):
                await asyncio.create_subprocess_exec("no such program")
            with pytest.raises(ValueError, match="cmd must be a"):
                await asyncio.create_subprocess_shell(5)
            return refused

        return loop.run_until_complete(main())

    on_both(scenario)
    gc.collect()
    assert children() == []


@pytest.mark.parametrize(
    ("method", "args", "number"),
    [("kill", (), 9), ("terminate", (), 15), ("send_signal", (signal.SIGUSR1,), 10)],
)
def test_signals(loop, method: str, args: tuple[int, ...], number: int) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec(*SLEEP)
        assert child.returncode is None
        getattr(child, method)(*args)
        assert await child.wait() == -number
        with pytest.raises(ProcessLookupError):
            getattr(child, method)(*args)

    loop.run_until_complete(main())


def test_signals_do_not_reach_another_process(loop) -> None:
    """Between the end of the child and that of its pipes its number may be another process's."""

    async def main() -> None:
        transport, protocol = await loop.subprocess_exec(
            Remembers, "sh", "-c", "sleep 1000 & echo $!", stdin=None, stderr=None
        )
        # The grandchild holds the pipe open, so there is no end of it.
        while "exited" not in protocol.told or not any(type(e) is tuple for e in protocol.told):
            await asyncio.sleep(0.001)
        sent: list[object] = []
        kill = os.kill
        os.kill = lambda *args: sent.append(args)  # type: ignore[assignment]
        try:
            transport.kill()
        finally:
            os.kill = kill
        if ours(loop):
            assert sent == []
        grandchild = next(event[1] for event in protocol.told if isinstance(event, tuple))
        os.kill(int(grandchild), signal.SIGKILL)
        await protocol.done

    loop.run_until_complete(main())


def test_many_wait_for_one(loop) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
        waiting = [asyncio.ensure_future(child.wait()) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[2].cancel()
        child.stdin.close()
        got = await asyncio.gather(*waiting, return_exceptions=True)
        assert [g for g in got if not isinstance(g, BaseException)] == [0] * 4
        assert isinstance(got[2], asyncio.CancelledError)

    loop.run_until_complete(main())


def test_close_kills_and_reaps(loop) -> None:
    async def main() -> None:
        transport, protocol = await loop.subprocess_exec(Remembers, *SLEEP)
        transport.close()
        transport.close()
        await protocol.done
        assert transport.get_returncode() == -9

    loop.run_until_complete(main())
    assert children() == []


@threads_reap
def test_close_after_the_exit_keeps_the_status(loop, caplog) -> None:
    """close() asks Popen.poll(), which reaps: what it read counts."""

    async def main() -> None:
        transport, protocol = await loop.subprocess_exec(
            Remembers, "sh", "-c", "read a; exit 7", stdout=None, stderr=None
        )
        transport.get_pipe_transport(0).write(b"\n")
        os.waitid(os.P_PID, transport.get_pid(), os.WEXITED | os.WNOWAIT)
        transport.close()
        await protocol.done
        if ours(loop):
            assert transport.get_returncode() == 7
            assert not caplog.records

    loop.run_until_complete(main())


def test_a_child_that_somebody_else_reaped(loop, caplog) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec(*SLEEP)
        os.kill(child.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # the thread of stock 3.11 may be faster
            os.waitpid(child.pid, 0)
        returncode = await child.wait()
        if ours(loop):
            assert returncode == 255
        assert returncode == -9 or "255" in caplog.text

    loop.run_until_complete(main())


@pytest.mark.skipif(target.is_stock(), reason="stock leaks it before 3.15")
def test_the_pidfd_is_closed_when_waitpid_fails(loop, monkeypatch) -> None:
    def fail(pid: int, options: int) -> tuple[int, int]:
        failed.append(pid)
        raise OSError(errno.EIO, "unexpected")

    failed: list[int] = []
    told = quiet(loop)

    async def main() -> None:
        await (await asyncio.create_subprocess_exec("true")).wait()
        before = descriptors()
        child = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
        monkeypatch.setattr(os, "waitpid", fail)
        child.stdin.close()
        while not failed:
            await asyncio.sleep(0)
        monkeypatch.undo()
        assert failed == [child.pid]
        os.waitpid(child.pid, 0)
        child._transport._process_exited(0)
        await child.wait()
        assert descriptors() == before

    loop.run_until_complete(main())
    assert [type(context["exception"]) for context in told] == [OSError]


def test_ignored_children() -> None:
    """SIGCHLD is ignored: the kernel reaps, nobody learns the status, nothing hangs."""
    said = process.output(
        """
        import logging
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        async def main():
            child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
            child.stdin.close()
            print(await child.wait())
        loop = new_loop()
        loop.run_until_complete(main())
        loop.close()
        """
    )
    assert said.splitlines()[-1] == "255"
    assert "255" in said.splitlines()[0]


def test_children_of_popen_are_left_alone(loop) -> None:
    async def main() -> None:
        theirs = [subprocess.Popen(["sh", "-c", f"exit {n}"]) for n in range(20)]
        mine = [await asyncio.create_subprocess_shell(f"exit {n}") for n in range(20)]
        assert [await child.wait() for child in mine] == list(range(20))
        assert [child.wait() for child in theirs] == list(range(20))

    loop.run_until_complete(main())


@pytest.mark.skipif(target.is_stock(), reason="stock 3.11 has a thread for each child")
def test_no_thread_is_made(loop) -> None:
    async def main() -> None:
        child = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
        assert threading.active_count() == before
        child.stdin.close()
        await child.wait()

    before = threading.active_count()
    loop.run_until_complete(main())


def test_in_another_thread(loop_factory) -> None:
    done: list[object] = []

    async def main() -> object:
        child = await asyncio.create_subprocess_exec("sh", "-c", "echo out", stdout=PIPE)
        return await child.communicate(), child.returncode

    def run() -> None:
        loop = loop_factory()
        done.append(loop.run_until_complete(main()))
        loop.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [((b"out\n", None), 0)] * 3


def test_cancelled_while_it_starts(loop) -> None:
    async def main() -> None:
        starting = asyncio.ensure_future(
            loop.subprocess_exec(Remembers, *SLEEP, stdin=None, stdout=None, stderr=None)
        )
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    loop.run_until_complete(main())
    assert children() == []


def test_a_storm_of_short_children() -> None:
    """1 000 children: every status right, no zombie, no descriptor left, Popen's children too."""
    said = process.output(
        """
        import subprocess
        from test_subprocess import children, descriptors
        async def one(number):
            child = await asyncio.create_subprocess_exec("sh", "-c", f"exit {number % 200}")
            assert await child.wait() == number % 200
        async def main():
            await one(0)
            before = descriptors()
            limit = asyncio.Semaphore(50)
            async def limited(number):
                async with limit:
                    await one(number)
            async def others():
                for number in range(50):
                    popen = subprocess.Popen(["sh", "-c", f"exit {number}"])
                    await asyncio.sleep(0)
                    assert popen.wait() == number
            await asyncio.gather(others(), *map(limited, range(1000)))
            return len(descriptors() - before)
        loop = new_loop()
        left = loop.run_until_complete(main())
        print(left, children())
        loop.close()
        """,
        timeout=300,
    )
    assert said == "0 []\n"


@threads_reap
def test_a_loop_closed_over_a_running_child(loop_factory) -> None:
    """Nobody will hear of the exit: the transport still kills the child and leaves nothing open."""
    gc.collect()
    before = descriptors()

    def scenario() -> int:
        loop = loop_factory()
        transport, _ = loop.run_until_complete(
            loop.subprocess_exec(
                asyncio.SubprocessProtocol, *SLEEP, stdin=None, stdout=None, stderr=None
            )
        )
        popen = transport.get_extra_info("subprocess")
        loop.close()
        transport.close()
        return popen.wait()

    assert scenario() == -9
    gc.collect()
    if not target.is_stock():  # whose pidfd stays open
        assert descriptors() <= before
    assert children() == []


def test_fork_while_children_run() -> None:
    """A forked child closes the loop it inherited: the parent's child is still heard of."""
    said = process.output(
        """
        async def main():
            child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            child.stdin.close()
            print(await child.wait())
        loop = new_loop()
        loop.run_until_complete(main())
        loop.close()
        """,
        options=["-W", "ignore::DeprecationWarning"],
    )
    assert said == "0\n"


@pytest.mark.skipif(target.is_stock(), reason="stock fails there, or has a thread anyway")
@pytest.mark.parametrize("refusal", ["ENOSYS", "EPERM", "EMFILE"])
def test_where_pidfds_are_refused(loop, monkeypatch, refusal: str) -> None:
    """Sandboxes and full descriptor tables: a thread waits, as in stock asyncio."""

    def refuse(pid: int, flags: int = 0) -> int:
        raise OSError(getattr(errno, refusal), "refused")

    monkeypatch.setattr(os, "pidfd_open", refuse)

    async def main() -> None:
        child = await asyncio.create_subprocess_exec("sh", "-c", "exit 5")
        assert await child.wait() == 5
        child = await asyncio.create_subprocess_exec(*SLEEP)
        child.terminate()
        assert await child.wait() == -15

    loop.run_until_complete(main())


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="child watchers are gone")
def test_a_child_watcher_of_the_users_is_asked() -> None:
    said = process.output(
        """
        import warnings
        warnings.simplefilter("ignore")
        class Watcher(asyncio.ThreadedChildWatcher):
            def add_child_handler(self, pid, callback, *args):
                print("asked")
                super().add_child_handler(pid, callback, *args)
        asyncio.set_child_watcher(Watcher())
        async def main():
            child = await asyncio.create_subprocess_exec("true")
            print(await child.wait())
        loop = new_loop()
        loop.run_until_complete(main())
        loop.close()
        """
    )
    assert said == "asked\n0\n"


@threads_reap
def test_an_unclosed_one_warns(loop_factory) -> None:
    async def main() -> subprocess.Popen[bytes]:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            asyncio.SubprocessProtocol, *SLEEP, stdin=None, stdout=None, stderr=None
        )
        popen: subprocess.Popen[bytes] = transport.get_extra_info("subprocess")
        return popen

    held = [loop_factory()]
    popen = held[0].run_until_complete(main())
    with pytest.warns(ResourceWarning, match="unclosed transport .*running"):
        close_and_forget(held)
    popen.kill()
    popen.wait()


def test_debug_mode(loop, caplog) -> None:
    loop.set_debug(True)
    caplog.set_level("DEBUG", logger="asyncio")

    async def main() -> None:
        child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        assert await child.communicate(b"x" * 100_000) == (b"x" * 100_000, None)

    loop.run_until_complete(main())
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "created: pid" in said
    assert "exited with return code 0" in said
