"""What `--on` may say, what a host is called and known by, and what is sent to a worker."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loopgauge.harness.cli.errors import explain
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.errors import BadPlace
from loopgauge.harness.fleet import bootstrap, environments, sending
from loopgauge.harness.fleet.hosts import HostFacts, display_name, host_key
from loopgauge.harness.fleet.place import Tls, place_of
from loopgauge.harness.model import Interpreter, Machine


@pytest.mark.parametrize(
    ("on", "scheduler"),
    [
        ("dask://10.0.0.7:8786", "tcp://10.0.0.7:8786"),
        ("dask://runners.example.org:08786/", "tcp://runners.example.org:8786"),
        ("dask://[::1]:8786", "tcp://[::1]:8786"),
    ],
)
def test_a_scheduler_is_named_by_host_and_port(on: str, scheduler: str) -> None:
    assert place_of(on).scheduler == scheduler


def test_with_certificates_the_connection_is_encrypted() -> None:
    place = place_of("dask://h:1", tls_ca="ca.pem", tls_cert="cert.pem", tls_key="key.pem")
    assert (place.scheduler, place.tls) == ("tls://h:1", Tls("ca.pem", "cert.pem", "key.pem"))


def test_local_workers_are_counted() -> None:
    assert (place_of("local:2").local_workers, place_of("dask://h:1").local_workers) == (2, 0)


@pytest.mark.parametrize(
    "on",
    ["", "local", "local:", "local:0", "local:-1", "local:257", "local:٣", "local:1e9", "dask:/h:1",
     "dask://h", "dask://:8786", "dask://h:0", "dask://h:65536", "dask://h:x", "dask://h:1/path",
     "dask://u@h:1", "tcp://h:1", "http://h:1", "dask://a b:1"],
)  # fmt: skip
def test_what_is_no_place_is_refused_with_the_forms_there_are(on: str) -> None:
    with pytest.raises(BadPlace) as caught:
        place_of(on)
    assert "--on dask://HOST:PORT" in caught.value.cure
    problem = explain(caught.value)
    assert problem is not None
    assert problem.code == ExitCode.USAGE


def test_certificates_come_as_three_and_not_for_this_machine() -> None:
    with pytest.raises(BadPlace, match="--tls-cert and --tls-key is missing"):
        place_of("dask://h:1", tls_ca="ca.pem")
    with pytest.raises(BadPlace, match="takes no certificates"):
        place_of("local:1", tls_ca="ca.pem", tls_cert="cert.pem", tls_key="key.pem")


def facts(**changes: str) -> HostFacts:
    interpreter = Interpreter(executable="/usr/bin/python3", version="3.13.0", build_hash="ab")
    made = HostFacts(machine=Machine(), interpreter=interpreter, boot_id="b", source="s")
    for name, value in changes.items():
        owner = made if name in made.__struct_fields__ else made.interpreter
        setattr(owner, name, value)
    return made


@pytest.mark.parametrize(
    "change", [{"boot_id": "c"}, {"version": "3.14.0"}, {"build_hash": "cd"}, {"build_kind": "pgo"}]
)
def test_another_machine_python_or_build_is_another_host(change: dict[str, str]) -> None:
    assert host_key(facts(**change)) != host_key(facts())


def test_the_same_build_in_another_folder_is_the_same_host() -> None:
    assert host_key(facts(executable="/opt/python")) == host_key(facts())


def test_a_name_cannot_steer_a_terminal() -> None:
    assert display_name("a\x1b[2Jb\n" + "c" * 200, "tcp://h:1") == ("a[2Jb" + "c" * 200)[:80]
    assert display_name("\x07", "tcp://h:1") == "tcp://h:1"
    assert display_name(0, "tcp://h:1") == "local worker 0"


@pytest.mark.parametrize("module", [bootstrap, environments])
def test_what_is_sent_needs_nothing_of_ours(module: object) -> None:
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module)])
    }
    roots = {name.partition(".")[0] for name in names}
    assert roots - set(sys.stdlib_module_names) <= {"dask", "distributed", "packaging"}


def test_what_is_sent_runs_in_an_interpreter_without_any_package() -> None:
    """`-I -S`: neither our packages nor Dask are in reach."""
    expression, names = sending.evaluation("look")
    program = (
        "import json, sys; ask = json.load(sys.stdin);"
        "print(eval(ask[0], dict(ask[1])).decode()); print(eval(ask[0], dict(ask[1])) is not None)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        input=json.dumps([expression, names]),
        capture_output=True,
        text=True,
        check=True,
    )
    told, again = done.stdout.splitlines()
    assert msgspec.json.decode(told)["python"] == sys.executable
    assert again == "True"


def test_a_command_without_on_imports_no_dask() -> None:
    program = """
import sys
import loopgauge.harness.cli, loopgauge.harness.cli.on, loopgauge.harness.fleet.fleet
import loopgauge.harness.fleet.roll_call, loopgauge.harness.fleet.agent
print(*(name for name in ("dask", "distributed", "tornado") if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
