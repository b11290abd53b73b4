"""The house keeps its own promises: versions agree, the lock names no host, errors are short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import loopgauge
from loopgauge.loops.registry import known_loops

ROOT = Path(__file__).resolve().parents[2]
FROM_FORKY = {"3.14", "3.15"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def dev(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", str(ROOT / "scripts" / "devtools"), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


def test_versions_agree() -> None:
    assert loopgauge.__version__ == PROJECT["project"]["version"] == version("loopgauge")


def test_the_public_names_are_the_loop_s() -> None:
    names = {"new_event_loop", "run", "install", "EventLoop", "EventLoopPolicy"}
    assert names <= set(dir(loopgauge))
    assert loopgauge.EventLoop is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        loopgauge.nonsense  # noqa: B018


def test_the_lock_holds_every_dependency_and_no_host() -> None:
    lock = (ROOT / "scripts" / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    locked = {line.split("==")[0] for line in lock.splitlines()}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(line for extra in extras.values() for line in extra),
    ]
    names = {re.split(r"[ ;<>=\[]", line)[0].replace("_", "-") for line in wanted}
    assert names <= locked


def test_scripts_bench_computes_the_same_key_as_the_set_up() -> None:
    bench = (ROOT / "scripts" / "bench").read_text(encoding="utf-8")
    (pipe,) = re.findall(r"key=\$\((.*)\)", bench)
    settings = {"root": str(ROOT), "here": str(ROOT / "scripts"), "PATH": os.environ["PATH"]}
    shell = subprocess.run(
        ["bash", "-c", pipe], capture_output=True, text=True, check=True, env=settings
    )
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
        "from devtools import environment; print(environment.key())"
    )
    answer = subprocess.run(
        [sys.executable, "-B", "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == shell.stdout.split()[0]


def test_an_unknown_python_is_an_environment_error() -> None:
    answer = dev("setup", "--python", "no-such-python")
    assert answer.returncode == 8
    assert "no-such-python" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_bench_says_the_same_of_a_python_that_does_not_start() -> None:
    settings = {**os.environ, "PYTHON": "no-such-python"}
    answer = subprocess.run(
        [ROOT / "scripts" / "bench", "--help"], capture_output=True, text=True, env=settings
    )
    assert answer.returncode == 8
    assert len(answer.stderr.splitlines()) == 1


def test_a_missing_compiler_is_one_line_to_type() -> None:
    answer = dev("setup", PATH="/nonexistent")
    assert answer.returncode == 8
    assert len(answer.stderr.splitlines()) == 1
    assert re.search(r"sudo apt-get install g\+\+ cmake ninja-build", answer.stderr)
    assert "chromium" in answer.stderr  # what the tests of the pages look at them with


def test_a_peer_is_known_to_the_project_and_to_the_registry() -> None:
    peers = PROJECT["project"]["optional-dependencies"]["peers"]
    names = {re.split(r"[ ;<>=]", line)[0] for line in peers}
    distributions = {spec.distribution for spec in known_loops().values()}
    assert names == distributions - {None, "loopgauge"}


@pytest.mark.parametrize("version", ["own", *sorted(FROM_FORKY)])
def test_a_launcher_is_the_interpreter(version: str) -> None:
    """Descriptors, the exit code and the process number are those of the Python it starts."""
    if version == "own":
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
    launcher = ROOT / ".venv" / f"python{version}"
    if not launcher.exists() or subprocess.run([launcher, "-c", ""], check=False).returncode:
        pytest.skip(f"no Python {version} here")
    program = "import os, sys; os.write(int(sys.argv[1]), str(os.getpid()).encode()); sys.exit(7)"
    read, write = os.pipe()
    process = subprocess.Popen([launcher, "-c", program, str(write)], pass_fds=[write])
    os.close(write)
    with os.fdopen(read) as stream:
        assert stream.read() == str(process.pid)
    assert process.wait() == 7


def test_an_unknown_study_names_the_known_ones() -> None:
    answer = dev("study", "no-such-study")
    assert answer.returncode == 2
    assert "no study no-such-study" in answer.stderr


def test_unknown_arguments_are_refused() -> None:
    answer = dev("lint", "--nonsense")
    assert answer.returncode == 2
    assert "--nonsense" in answer.stderr
