"""The generator's process: obeys the commands of `protocol` until its starter is gone.

Exit status: 0 told to quit, or the control socket's other end is closed; 2 the command line makes
no sense.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
from typing import Any

import msgspec

from loopgauge.harness.load import protocol
from loopgauge.harness.worker.engine import load_engine

USAGE = "usage: python -m loopgauge.harness.load --control FD [--cpu N]"
MAX_PACKET = 1 << 20

_decoder: msgspec.json.Decoder[protocol.AnyCommand] = msgspec.json.Decoder(protocol.AnyCommand)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--control", fd] if fd.isdecimal():
            cpu = None
        case ["--control", fd, "--cpu", number] if (fd + number).isdecimal():
            cpu = int(number)
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the starter's; we end with it
    raise_descriptor_limit()
    with socket.socket(fileno=int(fd)) as control, contextlib.suppress(ConnectionError):
        control.set_inheritable(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_PACKET)
        obey(control, pin(cpu))
    return 0


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pin(cpu: int | None) -> int | None:
    """The core that this process is on from now on; None where it was not asked for or refused."""
    if cpu is None:
        return None
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:
        return None
    return cpu


def obey(control: socket.socket, cpu: int | None) -> None:
    """Returns at end of file or Quit. Raises ConnectionError when the starter dies meanwhile."""
    native: Any = load_engine()
    engine = native.LoadEngine(control.fileno())
    answer: protocol.AnyAnswer = protocol.Hello(
        pid=os.getpid(), cpu=cpu, tls=native.tls_unavailable()
    )
    while True:
        control.send(msgspec.json.encode(answer))
        packet = control.recv(MAX_PACKET)
        if not packet:
            return
        try:
            command = _decoder.decode(packet)
        except msgspec.DecodeError as error:
            answer = protocol.Failed(reason=f"this is no command: {error}", usable=True)
            continue
        if isinstance(command, protocol.Quit):
            control.send(msgspec.json.encode(protocol.Closed(id=command.id)))
            return
        try:
            answer = perform(engine, command, spin=cpu is not None)
        except native.LoadError as error:
            usable = error.kind == "usage"
            if not usable:
                engine.close(command.id)
            answer = protocol.Failed(
                id=command.id, reason=str(error), kind=error.kind, usable=usable
            )


def perform(engine: Any, command: protocol.AnyCommand, *, spin: bool) -> protocol.AnyAnswer:
    """Raises the engine's LoadError."""
    group = command.id
    match command:
        case protocol.Open():
            count = engine.open(group, msgspec.to_builtins(command))
            return protocol.Opened(id=group, address=command.address, connections=count)
        case protocol.Listen():
            address = engine.listen(group, msgspec.to_builtins(command))
            return protocol.Opened(id=group, address=address)
        case protocol.Go():
            free = command.share == "free"
            result = engine.go(group, command.n, command.seconds, free, command.histogram)
            return msgspec.convert({"answer": "done", "id": group, **result}, protocol.Done)
        case protocol.Rate():
            result = engine.rate(
                group,
                command.per_second,
                command.seconds,
                command.drain_s,
                command.histogram,
                spin,
            )
            return msgspec.convert({"answer": "done", "id": group, **result}, protocol.Done)
        case protocol.Close():
            engine.close(group)
    return protocol.Closed(id=group)
