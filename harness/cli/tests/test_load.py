from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

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
        (["99999"], "has no port between 0 and 65535"),
        (["8000", "--rate", "5", "--operations", "5"], "--rate lasts for --seconds"),
        (["8000", "--size", "-1"], "size must be between"),
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
