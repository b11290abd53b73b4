"""`bench load`: the load generator by hand, against a server of one's own."""

from __future__ import annotations

import ipaddress
import math
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.load import protocol
    from loopgauge.harness.load.client import LoadError

EPILOG = """\b
Examples:
  bench load 8000 --connections 100 --size 1024
  bench load /run/echo.sock --depth 4 --seconds 10
  bench load 8000 --rate 20000 --seconds 10
  bench load 8080 --pattern http --path /plaintext --json
  bench load --floor

\b
Patterns (what the server must do; every byte of its answers is compared):
  echo     send back what it receives
  lines    the same, every message one line
  http     answer GET with status 200, a Content-Length and a body
  connect  send back what it receives, close when the client has
  sink     read a header of 8 bytes, big-endian, and as many bytes as it says;
           answer with the header
  source   read 8 bytes, big-endian, and send so many bytes of a known block
           (details: loopgauge.harness.load.protocol)

\b
Exit codes:
  0    every operation was answered, and verified
  2    usage: an option or the address makes no sense
  4    nothing was measured: nobody answers, wrong bytes, a stall
  6    the rate that was asked for was not reached
  8    environment: descriptors, ports, no TLS library
  130  interrupted (Ctrl-C)

\b
--json prints {"schema": 1, "kind": "load", "exit_code": ..., "asked": {...},
"result": {...}}; the members are those of Open and Done in
loopgauge.harness.load.protocol. Members are added, never removed.
"""
LOOPBACK = "127.0.0.1"


class FiniteRange(click.FloatRange):
    """Neither infinity nor what is no number, which compares with nothing."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of seconds or operations.", param, ctx)
        return number


POSITIVE = FiniteRange(min=0, min_open=True)
ENVIRONMENT = frozenset({"unavailable", "gone"})


@click.command(epilog=EPILOG)
@click.argument("address", required=False, metavar="[PORT | HOST:PORT | PATH | @NAME]")
@click.option(
    "--kind",
    type=click.Choice(["tcp", "unix", "udp", "unixgram", "tls"]),
    help="What to connect with.  [default: unix for a path or @name, otherwise tcp]",
)
@click.option(
    "--pattern",
    type=click.Choice(["echo", "lines", "sink", "source", "connect", "http"]),
    default="echo",
    show_default=True,
    help="What an operation is, and what the server must do (see below).",
)
@click.option(
    "--connections",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Clients at the same time.",
)
@click.option(
    "--size",
    type=click.IntRange(min=0),
    default=1024,
    show_default=True,
    help="Bytes of a message.",
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Messages in flight on each connection.",
)
@click.option(
    "--seconds", type=POSITIVE, default=3.0, show_default=True, metavar="FLOAT", help="How long."
)
@click.option("--operations", type=click.IntRange(min=1), help="Exactly so many; not --seconds.")
@click.option(
    "--rate",
    type=FiniteRange(min=0, min_open=True, max=1e7),
    metavar="PER_SECOND",
    help="Open loop: send at this rate whether answers come or not.",
)
@click.option("--path", default="/", show_default=True, help="http: what to GET.")
@click.option("--expect", metavar="BODY", help="http: the body that every answer must have.")
@click.option("--server-name", default="", help="tls: the name to ask for and to verify.")
@click.option("--certificates", default="", metavar="FILE", help="tls: verify against these.")
@click.option(
    "--timeout",
    type=POSITIVE,
    default=10.0,
    show_default=True,
    metavar="FLOAT",
    help="Seconds of silence.",
)
@click.option("--floor", is_flag=True, help="Against a bare epoll server that bench starts.")
@click.option("--remote", is_flag=True, help="Allow an address beyond this machine's loopback.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (see below).")
def load(
    address: str | None,
    kind: str | None,
    pattern: str,
    connections: int,
    size: int,
    depth: int,
    seconds: float,
    operations: int | None,
    rate: float | None,
    path: str,
    expect: str | None,
    server_name: str,
    certificates: str,
    timeout: float,
    floor: bool,
    remote: bool,
    as_json: bool,
) -> None:
    """Put load on a server, and verify every byte that it answers.

    A port alone is one of this machine. Without --rate a connection sends when it was answered
    (closed loop); with it, operations are due at a constant rate and their latency counts from
    then, so that a stall is seen by all who came meanwhile.
    """
    import msgspec

    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.load import protocol
    from loopgauge.harness.load.client import LoadError

    kind = kind or default_kind(address)
    if operations is not None and rate is not None:
        raise click.UsageError("--rate lasts for --seconds; it does not go with --operations")
    command = protocol.Open(
        id=1,
        kind=kind,  # type: ignore[arg-type]  # click checked it
        address=target(address, kind, floor=floor, remote=remote),
        pattern=pattern,  # type: ignore[arg-type]
        connections=connections,
        size=size,
        depth=depth,
        timeout_s=timeout,
        request=http_request(path) if pattern == "http" else "",
        expect=expect,
        server_name=server_name,
        certificates=certificates,
    )
    job: protocol.AnyCommand = (
        protocol.Rate(id=1, per_second=rate, seconds=seconds)
        if rate is not None
        else protocol.Go(id=1, n=operations or 1, seconds=0 if operations else seconds)
    )
    say_that_it_takes_a_while(command, job)
    try:
        command, done = drive(command, job, floor=floor)
    except LoadError as error:
        raise problem(error, pattern) from error
    code = exit_code(done)
    if as_json:
        asked = msgspec.to_builtins(command)
        print_json(
            {
                "schema": 1,
                "kind": "load",
                "exit_code": int(code),
                "asked": asked,
                "result": msgspec.to_builtins(done),
            }
        )
    else:
        report(command, done)
    click.get_current_context().exit(code)


def default_kind(address: str | None) -> str:
    return "unix" if address is not None and address.startswith(("/", "./", "../", "@")) else "tcp"


def say_that_it_takes_a_while(command: protocol.Open, job: protocol.AnyCommand) -> None:
    """To people only."""
    if not sys.stderr.isatty():
        return
    seconds = getattr(job, "seconds", 0)
    how_long = f"{seconds:g} s" if seconds else "as long as it takes"
    click.echo(f"{command.address or 'the floor'}: load for {how_long} (Ctrl-C ends it)", err=True)


def target(address: str | None, kind: str, *, floor: bool, remote: bool) -> str:
    """The address as the generator takes it; loopback unless `remote`."""
    if floor:
        if address is not None:
            raise click.UsageError("--floor brings its own server: leave the address out")
        return f"@loopgauge-floor-{threading.get_native_id()}" if kind.startswith("unix") else ""
    if address is None:
        raise click.UsageError("an address is needed: a port, HOST:PORT, or a path; or --floor")
    if kind.startswith("unix"):
        return address
    if address.isdecimal():
        return f"{LOOPBACK}:{address}"
    if "://" in address:
        raise click.UsageError(
            f"{address} is a URL; an address is HOST:PORT, and --path says which page to ask for"
        )
    host, colon, port = address.rpartition(":")
    if not colon:
        raise click.UsageError(
            f"{address} has no port: an address is PORT, HOST:PORT, or for Unix sockets a path or"
            " @NAME"
        )
    if ":" in host and not host.startswith("["):
        raise click.UsageError(f"an IPv6 address stands in brackets: [{host}]:{port}")
    if host in ("", "localhost"):
        return f"{LOOPBACK}:{port}"
    if not remote and not is_loopback(host):
        raise click.UsageError(
            f"{host or address} is not this machine's loopback; with --remote it is loaded all the"
            " same. Load only what is yours."
        )
    return address


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def http_request(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nUser-Agent: loopgauge\r\n\r\n"


def drive(
    command: protocol.Open, job: protocol.AnyCommand, *, floor: bool
) -> tuple[protocol.Open, protocol.Done]:
    """The command as it was sent, and what came of the job. Raises LoadError."""
    from loopgauge.harness.load import protocol
    from loopgauge.harness.load.client import LoadGenerator, expect, spare_cpu

    with ExitStack() as stack:
        generator = stack.enter_context(LoadGenerator(spare_cpu()))
        if floor:
            command.address = stack.enter_context(FloorThread(command)).address
        expect(generator.call(command), protocol.Opened)
        return command, expect(generator.call(job), protocol.Done)


class FloorThread:
    """The floor server that fits a command, in a thread, as long as the context lasts."""

    def __init__(self, command: protocol.Open) -> None:
        import os

        from loopgauge.harness.load.main import raise_descriptor_limit
        from loopgauge.harness.worker.engine import load_engine

        raise_descriptor_limit()  # one for every connection, in this process too
        one_way = command.pattern in ("sink", "source")
        kind = command.pattern if one_way else command.kind
        native = load_engine()
        if kind in ("tls", "http") or command.pattern == "http":
            raise click.UsageError("--floor speaks echo, lines, sink, source and connect, no TLS")
        try:
            self._server: Any = native.FloorServer(
                kind, command.address or f"{LOOPBACK}:0", max(command.size, 1)
            )
        except native.LoadError as error:
            raise Problem(ExitCode.ENVIRONMENT, str(error)) from error
        self.address: str = self._server.address
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(
            target=self._server.serve_until, args=(self._stop,), daemon=True
        )

    def __enter__(self) -> FloorThread:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        import os

        os.close(self._stopped)
        self._thread.join()
        os.close(self._stop)


def problem(error: LoadError, pattern: str) -> Problem:
    if error.kind == "usage":
        return Problem(ExitCode.USAGE, error.cause)
    if error.kind in ENVIRONMENT:
        return Problem(ExitCode.ENVIRONMENT, error.cause)
    fits = f"Does the server do what the pattern {pattern} asks for? bench load --help has them all"
    cures = {
        "refused": "Does a server listen there?",
        "lost": "It ended, crashed or hung up; what it had answered is not counted",
        "wrong": fits,
        "stalled": fits,
    }
    return Problem(ExitCode.NOTHING_MEASURED, error.cause, cures.get(error.kind, ""))


def exit_code(done: protocol.Done) -> ExitCode:
    reached = done.open_loop is None or done.open_loop.reached
    return ExitCode.OK if reached else ExitCode.LEFT_OUT


def report(command: protocol.Open, done: protocol.Done) -> None:
    from rich.table import Table

    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.wording import counted, duration, three_digits

    seconds = max(done.wall_ns, 1) / 1e9
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_row("server", f"{command.address} ({command.kind}, {command.pattern})")
    table.add_row("answered", f"{counted(done.n, 'operation')}, every byte verified")
    table.add_row("rate", f"{three_digits(done.n / seconds)} per second")
    table.add_row("bytes", f"{three_digits(done.bytes / seconds / 2**20)} MiB/s")
    spread = f"{done.fewest} to {done.most}, median {done.median}"
    table.add_row("per connection", spread)
    table.add_row("generator", f"{duration(done.cpu_ns / max(done.n, 1))} CPU per operation")
    if done.open_loop is not None:
        add_rate(table, done.open_loop)
        add_latencies(table, "latency from when it was due", done.latency)
        add_latencies(table, "service time, from sending", done.open_loop.service)
    else:
        add_latencies(table, "latency", done.latency)
    stdout_console().print(table)


def add_rate(table: Any, found: protocol.OpenLoop) -> None:
    words = f"{found.achieved_per_second:,.0f} of {found.asked_per_second:,.0f} per second"
    if not found.reached:
        words += f": not reached, {found.unsent:,} of {found.due:,} operations were never sent"
    table.add_row("achieved rate", words)


def add_latencies(table: Any, title: str, found: protocol.Latencies | None) -> None:
    from loopgauge.harness.cli.wording import duration

    if found is None:
        return
    quantiles = {
        "p50": found.p50_ns,
        "p90": found.p90_ns,
        "p99": found.p99_ns,
        "p99.9": found.p99_9_ns,
        "p99.99": found.p99_99_ns,
    }
    known = [f"{name} {duration(value)}" for name, value in quantiles.items() if value is not None]
    refused = [name for name, value in quantiles.items() if value is None]
    words = ", ".join([*known, f"max {duration(found.max_ns)}"])
    if refused:
        words += f" (too few samples for {', '.join(refused)})"
    table.add_row(title, words)
