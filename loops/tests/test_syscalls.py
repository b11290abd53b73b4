"""No system call in a turn that needs none: counted by strace."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from loop_testing import process, target

#: The program brackets what is counted with these, which nothing else calls.
MARK = """
    import ctypes
    libc = ctypes.CDLL(None)
    # Python itself would keep going to the kernel for signals and clocks only through these.
    def mark():
        libc.getpgid(0)
"""

TURNS = 20_000


def calls_between_marks(program: str, tmp_path: Path) -> list[str]:
    """Names of the system calls the loop's thread made between the two marks."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    done = process.python(MARK + program, wrapper=[strace, "-f", "-o", str(trace)])
    if "ptrace" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, process.describe(done)
    lines = trace.read_text().splitlines()
    marks = [number for number, line in enumerate(lines) if "getpgid(0)" in line]
    assert len(marks) == 2, "the program must mark its start and its end"
    names = [re.match(r"\d+\s+(\w+)\(", line) for line in lines[marks[0] + 1 : marks[1]]]
    return [name.group(1) for name in names if name]


CHAIN = f"""
    loop = new_loop()
    left = [{TURNS}]

    def turn():
        left[0] -= 1
        if left[0] == 0:
            mark()
            loop.stop()
        else:
            if left[0] == {TURNS} - 100:
                mark()
            loop.call_soon(turn)

    loop.call_soon(turn)
    loop.run_forever()
    loop.close()
"""

only_native = pytest.mark.skipif(target.is_stock(), reason="stock polls in every turn")


def test_the_count_works(tmp_path: Path) -> None:
    """Stock polls once per turn: were this not seen, the other tests would mean nothing."""
    program = CHAIN.replace("new_loop()", "asyncio.SelectorEventLoop()")
    calls = calls_between_marks(program, tmp_path)
    assert calls.count("epoll_wait") + calls.count("epoll_pwait2") >= TURNS - 200


@only_native
def test_a_chain_of_callbacks_makes_no_system_call(tmp_path: Path) -> None:
    calls = calls_between_marks(CHAIN, tmp_path)
    # Memory and locks are the interpreter's: a handful, not one per turn.
    assert [name for name in calls if name.startswith(("epoll", "read", "write", "poll"))] == []
    assert len(calls) < TURNS // 100


@only_native
def test_tasks_make_no_system_call(tmp_path: Path) -> None:
    program = f"""
    async def main():
        for number in range({TURNS}):
            if number == 100:
                mark()
            await asyncio.sleep(0)
        mark()

    loop = new_loop()
    loop.run_until_complete(main())
    loop.close()
    """
    calls = calls_between_marks(program, tmp_path)
    assert [name for name in calls if name.startswith(("epoll", "read", "write", "poll"))] == []


@only_native
def test_a_pending_timer_costs_no_poll(tmp_path: Path) -> None:
    """The clock is read without the kernel; nothing can arrive from anywhere."""
    program = CHAIN.replace(
        "loop.call_soon(turn)\n    loop.run_forever()",
        "loop.call_later(1000, print)\n    loop.call_soon(turn)\n    loop.run_forever()",
    )
    assert "call_later" in program
    calls = calls_between_marks(program, tmp_path)
    assert [name for name in calls if name.startswith("epoll")] == []


@only_native
def test_threadsafe_calls_into_a_busy_loop_write_nothing(tmp_path: Path) -> None:
    """The wake-up descriptor is written only when the loop sleeps."""
    program = """
    loop = new_loop()
    left = [20_000]

    def turn():
        left[0] -= 1
        if left[0] == 0:
            mark()
            return loop.stop()
        if left[0] == 19_900:
            mark()
        loop.call_soon_threadsafe(turn)

    loop.call_soon(turn)
    loop.run_forever()
    loop.close()
    """
    calls = calls_between_marks(program, tmp_path)
    assert calls.count("write") == 0
    assert calls.count("epoll_wait") + calls.count("epoll_pwait2") == 0


@only_native
def test_watched_descriptors_are_polled_every_third_turn_at_least(tmp_path: Path) -> None:
    """And at most once per turn, without a single epoll_ctl."""
    program = CHAIN.replace(
        "loop.call_soon(turn)\n    loop.run_forever()",
        "import socket\n"
        "    a, b = socket.socketpair()\n"
        "    loop.add_reader(a, print)\n"
        "    loop.call_soon(turn)\n    loop.run_forever()\n    loop.remove_reader(a)",
    )
    assert "add_reader" in program
    calls = calls_between_marks(program, tmp_path)
    polls = calls.count("epoll_wait") + calls.count("epoll_pwait2")
    assert TURNS // 3 - 200 <= polls <= TURNS
    assert calls.count("epoll_ctl") == 0


@only_native
def test_system_calls_of_datagrams(tmp_path) -> None:
    """Ten that have arrived are read and answered by one call each, with one read that finds
    nothing and without a wait in between."""
    calls = calls_between_marks(
        """
    import socket

    class Echo(asyncio.DatagramProtocol):
        answered = 0

        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            self.transport.sendto(data, address)
            self.answered += 1
            if self.answered == 10:
                loop.call_soon(stop)

    def stop():
        mark()
        loop.stop()

    loop = new_loop()
    transport, _ = loop.run_until_complete(
        loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0)))
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(transport.get_extra_info("sockname"))
    for _ in range(10):
        client.send(b"x" * 512)
    mark()
    loop.run_forever()
    transport.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
        """,
        tmp_path,
    )
    assert calls.count("recvfrom") == 10
    assert calls.count("sendto") == 10
    assert sum(name.startswith("epoll_") for name in calls) <= 2
