"""The long test of connections: `python loops/tests/soak_connections.py [CONNECTIONS]`.

A million connections by default, a few minutes for every hundred thousand, outside the test suite.
Each kind of trouble gets a share; afterwards it prints what grew (resident memory, descriptors,
threads, zombies) and exits with 1 when anything did. LOOPGAUGE_TEST_LOOP names the loop.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from loop_testing import certificates, target

#: Bytes that free lists, arenas and OpenSSL's caches may move by.
SLACK = 16 << 20
#: Connections open at once.
WIDTH = 50
#: More than both buffers of a connection hold.
HUGE = 8 << 20

Work = Callable[[], Awaitable[None]]


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def _echo(address: object, rng: random.Random, *, tls: bool = False) -> None:
    """Opens, echoes, and goes in one of four ways."""
    options = {"ssl": certificates.client_context(), "server_hostname": "localhost"} if tls else {}
    reader, writer = await asyncio.open_connection(*address, **options)
    data = b"x" * rng.choice((1, 1000, 70_000))
    writer.write(data)
    way = rng.randrange(4)
    if way < 2:
        await reader.readexactly(len(data))
    if way == 3:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort() if way else writer.close()
    try:
        await writer.wait_closed()
    except (ConnectionError, OSError):
        assert way


async def _slow(address: object, _rng: random.Random) -> None:
    """A writer whose reader stops, whose drain is cancelled, and who gives up."""
    reader, writer = await asyncio.open_connection(*address)
    writer.transport.pause_reading()
    writer.write(bytes(HUGE))
    draining = asyncio.ensure_future(writer.drain())
    await asyncio.sleep(0)
    draining.cancel()
    await asyncio.wait([draining])
    writer.transport.abort()
    del reader


async def _half(address: object, _rng: random.Random) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"half")
    writer.write_eof()
    assert await reader.read() == b"half"
    writer.close()
    await writer.wait_closed()


def served(one: Callable[..., Awaitable[None]], **options: object) -> Work:
    """`one` against an echo server, WIDTH at a time."""
    rng = random.Random(7)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0, **options)
        address = server.sockets[0].getsockname()
        words = {"tls": True} if options else {}
        await asyncio.gather(*(one(address, rng, **words) for _ in range(WIDTH)))
        server.close()
        await server.wait_closed()

    return work


async def reset_before_accept() -> None:
    """Clients that are gone when they are accepted."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=WIDTH)
    address = server.sockets[0].getsockname()
    for _ in range(WIDTH):
        reset(socket.create_connection(address))
    await _echo(address, random.Random(1))
    server.close()
    await server.wait_closed()


async def datagrams() -> None:
    """To ports where nobody listens, which comes back as an error, and to itself."""
    loop = asyncio.get_running_loop()
    nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    nobody.bind(("127.0.0.1", 0))
    address = nobody.getsockname()
    nobody.close()
    for _ in range(WIDTH):
        transport, _protocol = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=address
        )
        transport.sendto(b"anybody")
        transport.sendto(b"there")
        await asyncio.sleep(0)
        transport.close()
        await asyncio.sleep(0)


async def full_pipes() -> None:
    loop = asyncio.get_running_loop()
    for number in range(WIDTH):
        reading, writing = os.pipe()
        write_end, _ = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, os.fdopen(writing, "wb", 0)
        )
        write_end.write(bytes(1 << 20))
        if number % 2:
            os.close(reading)
        write_end.abort()
        await asyncio.sleep(0)
        if not number % 2:
            os.close(reading)


async def children() -> None:
    """A storm of SIGCHLD, with children of subprocess.Popen among them."""
    mine = [subprocess.Popen(["/bin/sh", "-c", "exit 3"]) for _ in range(5)]
    processes = await asyncio.gather(
        *(asyncio.create_subprocess_exec("/bin/sh", "-c", f"exit {code}") for code in range(10))
    )
    codes = await asyncio.gather(*(process.wait() for process in processes))
    assert codes == list(range(10))
    assert [process.wait() for process in mine] == [3] * 5


def resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def zombies() -> int:
    """Children that have ended and that nobody waited for."""
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    states = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in found]
    return sum(state[0] == "Z" for state in states)


def measures() -> dict[str, int]:
    gc.collect()
    return {
        "KiB": resident() // 1024,
        "descriptors": descriptors(),
        "threads": threading.active_count(),
        "zombies": zombies(),
    }


def soak(loop: asyncio.AbstractEventLoop, name: str, work: Work, rounds: int) -> bool:
    """Runs `work` so often; True when nothing grew after the first fifth."""
    for _ in range(max(rounds // 5, 3)):
        loop.run_until_complete(work())
    before = measures()
    for _ in range(rounds):
        loop.run_until_complete(work())
    # What was aborted last is closed in the turns that follow.
    loop.run_until_complete(asyncio.sleep(0.1))
    after = measures()
    grown = {what: after[what] - before[what] for what in after}
    flat = grown["KiB"] * 1024 < SLACK and all(grown[what] <= 0 for what in grown if what != "KiB")
    figures = "  ".join(f"{count:+7d} {what}" for what, count in grown.items())
    verdict = "flat" if flat else "GREW"
    print(f"{name:20} {rounds:6} rounds of {WIDTH}  {figures}  {verdict}", flush=True)
    return flat


def out_of_descriptors() -> bool:
    """EMFILE in accept, in a child process: it does not spin, and it accepts again afterwards."""
    words = [sys.executable, __file__, "--emfile"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    print(f"{'EMFILE in accept':20} {done.stdout.strip()}", flush=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    return done.returncode == 0


def emfile() -> int:
    """Waiting clients, no descriptors for them for a while; prints the processor time of that."""
    loop = target.target_factory()()
    told: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))

    async def run() -> int:
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        clients = [socket.socket() for _ in range(20)]
        await loop.run_in_executor(None, int)  # its thread and the wake-up descriptor
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors() - 1, limit[1]))
        for client in clients:
            client.connect(server.sockets[0].getsockname())
        used = -sum(os.times()[:2])
        await asyncio.sleep(3.5)  # asyncio tries again after ACCEPT_RETRY_DELAY, one second
        used += sum(os.times()[:2])
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        for client in clients:
            client.setblocking(False)
            await loop.sock_sendall(client, b"x")
            assert await asyncio.wait_for(loop.sock_recv(client, 1), 10) == b"x"
            client.close()
        server.close()
        numbers = {getattr(context.get("exception"), "errno", None) for context in told}
        print(f"told {len(told)} times, {used:.2f} s of processor time in 3.5 s")
        return 0 if numbers == {errno.EMFILE} and used < 1.5 else 1

    code = loop.run_until_complete(run())
    loop.close()
    return code


def main() -> int:
    if "--emfile" in sys.argv:
        return emfile()
    connections = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{target.target_name()}: {connections} connections")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    loop = target.target_factory()()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda *_: None)  # resets on purpose
    rounds = max(connections // WIDTH, 20)
    flat = [
        soak(loop, "echo and resets", served(_echo), rounds * 6 // 10),
        soak(loop, "half-close", served(_half), rounds // 10),
        soak(loop, "reset before accept", reset_before_accept, rounds // 10),
        soak(loop, "TLS", served(_echo, ssl=certificates.server_context()), rounds // 20),
        soak(loop, "slow readers", served(_slow), max(rounds // 100, 5)),
        soak(loop, "datagram errors", datagrams, rounds // 20),
        soak(loop, "full pipes", full_pipes, rounds // 50),
        soak(loop, "children", children, max(rounds // 200, 5)),
        out_of_descriptors(),
    ]
    loop.close()
    return 0 if all(flat) else 1


if __name__ == "__main__":
    sys.exit(main())
