from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from loopgauge.harness.cli import main
from loopgauge.harness.cli.exit_codes import ExitCode


def bench(*words: str) -> Result:
    return CliRunner().invoke(main, ["load", *words])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--kind", "unix", "--depth", "3"],
        ["--kind", "udp", "--connections", "2"],
        ["--pattern", "sink"],
        ["--pattern", "source"],
        ["--pattern", "connect"],
        ["--pattern", "lines"],
    ],
)
def test_against_the_floor(words: Sequence[str]) -> None:
    result = bench("--floor", "--operations", "50", "--json", "--size", "300", *words)
    assert result.exit_code == ExitCode.OK, result.output
    document = json.loads(result.stdout)
    assert (document["schema"], document["kind"], document["exit_code"]) == (1, "load", 0)
    assert document["asked"]["size"] == 300
    assert document["result"]["n"] == 50
    assert document["result"]["bytes"] == 50 * 300


def test_the_table_names_what_was_measured() -> None:
    text = " ".join(bench("--floor", "--operations", "50").stdout.split())
    assert "answered 50 operations, every byte verified" in text
    assert "latency p50" in text
    assert "(too few samples for p90, p99, p99.9, p99.99)" in text


def test_a_rate_that_is_not_reached_has_its_own_exit_code() -> None:
    result = bench("--floor", "--connections", "1", "--rate", "9999999", "--seconds", "0.05")
    assert result.exit_code == ExitCode.LEFT_OUT
    assert "not reached" in result.stdout
    assert "latency from when it was due" in result.stdout
    assert "service time" in result.stdout


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ([], "an address is needed"),
        (["8000", "--floor"], "leave the address out"),
        (["192.0.2.1:80"], "not this machine's loopback"),
        (["example.org:80"], "not this machine's loopback"),
        (["[2001:db8::1]:80"], "not this machine's loopback"),
        (["example.org:80", "--remote"], "names are not looked up"),
        (["http://127.0.0.1:8000/"], "is a URL; an address is HOST:PORT"),
        (["localhost"], "localhost has no port"),
        (["::1:80"], "stands in brackets: [::1]:80"),
        (["8000", "--seconds", "0"], "0.0 is not in the range x>0"),
        (["8000", "--rate", "0"], "0.0 is not in the range"),
        (["8000", "--rate", "1e8"], "is not in the range"),
        (["8000", "--rate", "nan"], "nan is not a number"),
        (["8000", "--seconds", "inf"], "inf is not a number"),
        (["8000", "--timeout", "nan"], "nan is not a number"),
        (["8000", "--timeout", "-1"], "-1.0 is not in the range x>0"),
        (["99999"], "has no port between 0 and 65535"),
        (["8000", "--rate", "5", "--operations", "5"], "--rate lasts for --seconds"),
        (["8000", "--size", "-1"], "-1 is not in the range x>=0"),
        (["--floor", "--kind", "tls"], "no TLS"),
        (["8000", "--kind", "tcp", "--server-name", "x"], "for kind tls"),
    ],
)
def test_usage(words: Sequence[str], cause: str) -> None:
    result = bench(*words)
    assert result.exit_code == ExitCode.USAGE
    assert cause in " ".join(result.output.split())


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        result = bench(str(port))
    assert result.exit_code == ExitCode.NOTHING_MEASURED
    assert f"connecting to 127.0.0.1:{port}: Connection refused" in result.output
    assert "Does a server listen there?" in result.output


def test_a_path_is_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    result = bench(path)
    assert result.exit_code == ExitCode.NOTHING_MEASURED
    assert f"connecting to {path}: No such file or directory" in result.output


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The port of a server that has one conversation, in a thread."""

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            talk(peer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield str(listener.getsockname()[1])
        thread.join()


def test_a_server_that_dies_meanwhile() -> None:
    def dies(peer: socket.socket) -> None:
        for _ in range(3):
            peer.sendall(peer.recv(10, socket.MSG_WAITALL))

    with serving(dies) as port:
        result = bench(port, "--connections", "1", "--size", "10", "--seconds", "30")
    assert result.exit_code == ExitCode.NOTHING_MEASURED
    assert re.search("connection 0: .*(closed|reset)", result.output)
    assert "what it had answered is not counted" in result.output


def test_a_server_of_another_kind() -> None:
    def web(peer: socket.socket) -> None:
        peer.recv(1 << 16)
        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        peer.recv(1)  # until the client has had enough

    with serving(web) as port:
        result = bench(port, "--connections", "1", "--seconds", "30")
    assert result.exit_code == ExitCode.NOTHING_MEASURED
    assert "wrong byte at byte 0 of operation 0" in result.output
    assert "what the pattern echo asks for?" in result.output


def test_more_connections_than_the_soft_limit_allows() -> None:
    """Of the floor's own process as well, which is this command's."""
    command = 'ulimit -Sn 64; exec "$@"'
    arguments = ["load", "--floor", "--connections", "100", "--operations", "300", "--json"]
    done = subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, "-m", "loopgauge.harness.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout)["result"]["n"] == 300


def test_too_few_descriptors() -> None:
    result = bench("--floor", "--connections", "100000000")
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert "ulimit -n" in result.output
    assert "ask for at most" in result.output


def test_ctrl_c_ends_it() -> None:
    """The server here never answers; it says by what it received that the load is on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        command = [sys.executable, "-m", "loopgauge.harness.cli", "load", port]
        with subprocess.Popen([*command, "--connections", "1"], start_new_session=True) as process:
            peer, _ = listener.accept()
            with peer:
                assert peer.recv(10)
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does
                assert process.wait(30) == ExitCode.INTERRUPTED
                while peer.recv(1 << 16):  # until the generator is gone as well
                    pass
