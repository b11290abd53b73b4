"""How TLS connections begin and end: every way, in every state, told as stock asyncio tells it."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import weakref

import pytest
from loop_testing.certificates import client_context, server_context
from loop_testing.compare import on_both, quiet
from loop_testing.target import LoopFactory
from loop_testing.tls import (
    BufferedRecorder,
    Connection,
    Peer,
    Recorder,
    closing,
    connect,
    same,
    tcp_pair,
)

KINDS = [Recorder, BufferedRecorder]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]

# ---- after the handshake -------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("make", KINDS)
def test_peer_closes(make, version) -> None:
    async def steps(connection: Connection):
        await connection.peer.send(b"last words")
        await connection.peer.close_notify()
        return await connection.outcome(), await connection.peer.ending()

    (events, told), _ = same(steps, make, version=version)
    assert [event[0] for event in events] == ["made", "data", "eof", "lost", "after"]
    assert events[3] == ("lost", type(None))
    assert told == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("make", KINDS)
def test_peer_just_goes(make, version) -> None:
    """EOF without a close_notify."""

    async def steps(connection: Connection):
        await connection.peer.send(b"last words")
        await connection.protocol.receive(10)
        connection.peer.sock.shutdown(socket.SHUT_WR)
        return await connection.outcome()

    same(steps, make, version=version)


@pytest.mark.parametrize("when", ["idle", "writing", "paused"])
def test_reset(when) -> None:
    async def steps(connection: Connection):
        if when == "writing":
            while ("pause",) not in connection.protocol.events:
                connection.transport.write(bytes(1 << 20))
        if when == "paused":
            connection.transport.pause_reading()
        connection.peer.reset()
        events, told = await connection.outcome()
        # Reading and writing see a reset by different errors; which comes first is the kernel's.
        return [event[0] for event in events], told

    same(steps, pair=tcp_pair)


@pytest.mark.parametrize("state", ["idle", "writing", "reading paused", "peer closing"])
def test_close(state) -> None:
    """close() sends what was written, then close_notify; twice is once."""

    async def steps(connection: Connection):
        expected = 0
        if state == "writing":
            while ("pause",) not in connection.protocol.events:
                connection.transport.write(bytes(1 << 20))
                expected += 1 << 20
        if state == "reading paused":
            connection.transport.pause_reading()
            await connection.peer.send(b"never seen")
        if state == "peer closing":
            await connection.peer.close_notify()
        transport = connection.transport
        transport.close()
        closed = transport.is_closing()
        got = len(await connection.peer.receive(expected))
        ending = await connection.peer.ending()
        if ending == "close_notify" and state != "peer closing":
            await connection.peer.close_notify()
        return closed, got == expected, ending, await connection.outcome()

    same(steps)


@pytest.mark.parametrize("where", ["made", "data", "eof", "pause", "resume"])
@pytest.mark.parametrize("action", ["abort", "close"])
@pytest.mark.parametrize("make", KINDS)
def test_ended_inside_a_callback(make, action, where) -> None:
    def end(protocol: Recorder) -> None:
        protocol.transport.write(b"a last word")
        getattr(protocol.transport, action)()
        protocol.transport.write(b"too late")

    async def steps(connection: Connection):
        peer = connection.peer
        if where in ("pause", "resume"):
            for _ in range(100):
                if ("pause",) in connection.protocol.events:
                    break
                connection.transport.write(bytes(1 << 20))
        elif where == "data":
            await peer.send(b"go")
        elif where == "eof":
            await peer.close_notify()
        ending = await peer.ending()
        if ending == "close_notify" and where != "eof":
            await peer.close_notify()
        events, told = await connection.outcome()
        last = bytes(peer.received) if where in ("made", "data", "eof") else None
        # Stock's transport stumbles over itself there: _call_connection_lost() twice.
        return ending, last, events, None if (action, where) == ("abort", "resume") else told

    same(steps, lambda: make({where: end}))


def test_write_after_the_end() -> None:
    """Ignored, counted, and from the fifth on logged: nothing raised."""

    async def steps(connection: Connection):
        transport = connection.transport
        transport.abort()
        for _ in range(8):
            transport.write(b"late")
            transport.writelines([b"later"])
        result = await connection.outcome()
        for _ in range(8):
            transport.write(b"much too late")
        return result

    same(steps)


@pytest.mark.parametrize("error", [ValueError, OSError, asyncio.CancelledError])
@pytest.mark.parametrize("where", ["data", "eof", "pause", "resume"])
@pytest.mark.parametrize("make", KINDS)
def test_error_of_the_protocol(make, where, error) -> None:
    """Nothing is swallowed: the exception handler and connection_lost() tell of it as stock's."""

    def fail(protocol: Recorder) -> None:
        raise error("of the protocol")

    async def steps(connection: Connection):
        if where in ("pause", "resume"):
            while ("pause",) not in connection.protocol.events:
                connection.transport.write(bytes(1 << 20))
            connection.transport.write(b"more")
            reading = asyncio.ensure_future(connection.peer.ending())
            while connection.transport.get_write_buffer_size() > 0:
                await asyncio.sleep(0)
            reading.cancel()
            connection.transport.abort()
        elif where == "data":
            await connection.peer.send(b"go")
        else:
            await connection.peer.close_notify()
        if where == "data" and error is asyncio.CancelledError:
            # No Exception: the transport's callback ends with it, whatever its class.
            for _ in range(20):
                await asyncio.sleep(0)
            connection.peer.sock.close()
        return await connection.outcome()

    same(steps, lambda: make({where: fail}))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("make", KINDS)
def test_exit_leaves_the_loop(make, error) -> None:
    def leave(protocol: Recorder) -> None:
        protocol.transport.write(b"answered")
        raise error

    def scenario(loop: asyncio.AbstractEventLoop):
        connection = loop.run_until_complete(connect(loop, lambda: make({"data": leave})))

        async def ask() -> None:
            await connection.peer.send(b"go")
            await asyncio.sleep(30)

        asking = loop.create_task(ask())
        with pytest.raises(error):
            loop.run_until_complete(asking)
        with closing(connection):
            got = loop.run_until_complete(connection.peer.receive(8))
        asking.cancel()
        loop.run_until_complete(asyncio.gather(asking, return_exceptions=True))
        loop.run_until_complete(connection.protocol.lost)
        return got, connection.reports()

    assert on_both(scenario)[0] == b"answered"


def test_corrupted_record() -> None:
    async def steps(connection: Connection):
        connection.peer.tls.write(b"a record")
        record = bytearray(connection.peer.outgoing.read())
        record[-1] ^= 1
        await connection.loop.sock_sendall(connection.peer.sock, record)
        return await connection.outcome()

    events, _ = same(steps)
    assert issubclass(events[-2][1], ssl.SSLError)


def test_no_tls_at_all() -> None:
    async def steps(connection: Connection):
        await connection.loop.sock_sendall(connection.peer.sock, b"GET / HTTP/1.0\r\n\r\n")
        return await connection.outcome()

    events, _ = same(steps)
    assert issubclass(events[-2][1], ssl.SSLError)


def test_shutdown_timeout() -> None:
    """A peer that does not answer close_notify is given up."""

    async def steps(connection: Connection):
        connection.transport.close()
        return await connection.outcome()

    events, _ = same(steps, ssl_shutdown_timeout=0.05)
    assert events[-2] == ("lost", TimeoutError)


# ---- before the handshake has ended --------------------------------------------------------------


def failing(peer_does, **options):
    """What accepting a connection raises, and what the protocol and the handler are told."""

    async def scenario(loop: asyncio.AbstractEventLoop):
        told = quiet(loop)
        ours, theirs = tcp_pair()
        theirs.setblocking(False)
        made: list[Recorder] = []

        def factory() -> Recorder:
            made.append(Recorder())
            return made[0]

        accepting = asyncio.ensure_future(
            loop.connect_accepted_socket(factory, ours, ssl=server_context(), **options)
        )
        await peer_does(loop, theirs)
        try:
            await asyncio.wait_for(accepting, 30)
        except Exception as error:
            raised = type(error)
        await asyncio.sleep(0)
        theirs.close()
        return raised, made[0].events, [(t["message"], type(t["exception"])) for t in told]

    return on_both(lambda loop: loop.run_until_complete(scenario(loop)))


async def say_nothing(loop, sock) -> None:
    pass


async def say_garbage(loop, sock) -> None:
    await loop.sock_sendall(sock, b"x" * 100)


async def go_away(loop, sock) -> None:
    sock.close()


async def half_a_hello(loop, sock) -> None:
    peer = Peer(sock, client_context(), server=False)
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    await loop.sock_sendall(sock, peer.outgoing.read()[:50])
    sock.shutdown(socket.SHUT_WR)


def test_handshake_timeout() -> None:
    raised, events, _ = failing(say_nothing, ssl_handshake_timeout=0.05)
    assert raised is ConnectionAbortedError
    assert events == []


@pytest.mark.parametrize("peer_does", [say_garbage, go_away, half_a_hello])
def test_handshake_fails(peer_does) -> None:
    _, events, _ = failing(peer_does)
    assert events == []


@pytest.mark.parametrize("trusting", [True, False])
@pytest.mark.parametrize("hostname", ["localhost", "elsewhere.example"])
def test_certificates(trusting, hostname) -> None:
    """A server goes on after a client that does not trust it."""

    async def scenario(loop: asyncio.AbstractEventLoop):
        quiet(loop)
        context = client_context() if trusting else ssl.create_default_context()
        server = await loop.create_server(Recorder, "127.0.0.1", 0, ssl=server_context())
        host, port = server.sockets[0].getsockname()
        try:
            transport, _ = await loop.create_connection(
                Recorder, host, port, ssl=context, server_hostname=hostname
            )
            outcome: object = transport.get_extra_info("peercert") is not None
            transport.abort()
        except ssl.CertificateError as error:
            outcome = error.verify_message
        again, _ = await loop.create_connection(
            Recorder, host, port, ssl=client_context(), server_hostname="localhost"
        )
        again.abort()
        server.close()
        return outcome

    outcome = on_both(lambda loop: loop.run_until_complete(scenario(loop)))
    assert (outcome is True) == (trusting and hostname == "localhost")


def test_writes_during_the_handshake() -> None:
    """Kept until it is over, as they were when they were written."""

    async def scenario(loop: asyncio.AbstractEventLoop):
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        peer = Peer(theirs, client_context(), server=False)
        waiter = loop.create_future()
        transport = loop._make_ssl_transport(
            ours, Recorder(), server_context(), waiter, server_side=True
        )
        await asyncio.sleep(0)
        transport.write(b"early ")
        transport.writelines([b"bird ", bytearray(b"worm")])
        waiting = transport.get_write_buffer_size()
        await peer.handshake()
        await waiter
        await peer.send(b"x")
        got = await peer.receive(15)
        transport.abort()
        theirs.close()
        return waiting, got

    assert on_both(lambda loop: loop.run_until_complete(scenario(loop))) == (15, b"early bird worm")


@pytest.mark.parametrize("option", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@pytest.mark.parametrize("value", [0, -1, "soon"])
def test_bad_time_limits(option, value) -> None:
    async def scenario(loop: asyncio.AbstractEventLoop):
        ours, theirs = socket.socketpair()
        with theirs, ours:
            try:
                await loop.connect_accepted_socket(
                    Recorder, ours, ssl=server_context(), **{option: value}
                )
            except Exception as error:
                return type(error), str(error)

    assert on_both(lambda loop: loop.run_until_complete(scenario(loop)))[0] in (
        ValueError,
        TypeError,
    )


# ---- what is left --------------------------------------------------------------------------------


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("how", ["close", "abort", "peer closes", "reset"])
def test_nothing_is_left(loop_factory: LoopFactory, how, make) -> None:
    """No cycle keeps a connection that is over."""
    loop = loop_factory()

    async def scenario() -> list[weakref.ref]:
        connection = await connect(loop, make, pair=tcp_pair)
        left = [
            weakref.ref(connection.protocol),
            weakref.ref(connection.transport),
            weakref.ref(connection.transport._ssl_protocol),
        ]
        if how == "reset":
            connection.peer.reset()
        elif how == "peer closes":
            await connection.peer.close_notify()
        else:
            getattr(connection.transport, how)()
            connection.peer.sock.close()
        await connection.protocol.lost
        connection.peer.sock.close()
        return left

    loop.run_until_complete(scenario())  # whatever is made once
    gc.collect()
    gc.disable()
    try:
        left = loop.run_until_complete(scenario())
        loop.run_until_complete(asyncio.sleep(0))
        alive = [ref() for ref in left if ref() is not None]
        assert alive == []
    finally:
        gc.enable()
        loop.close()


def test_memory_of_connections(loop: asyncio.AbstractEventLoop) -> None:
    """Objects do not grow with the number of connections that were."""

    async def one() -> None:
        connection = await connect(loop)
        await connection.peer.send(b"ping")
        await connection.protocol.receive(4)
        connection.transport.write(bytes(100_000))
        await connection.peer.receive(100_000)
        connection.transport.abort()
        connection.peer.sock.close()
        await connection.protocol.lost

    def objects_after(count: int) -> int:
        for _ in range(count):
            loop.run_until_complete(one())
        gc.collect()
        return len(gc.get_objects())

    objects_after(5)
    before = objects_after(5)
    assert objects_after(40) < before + 40
