"""The pytest plugin: each way in which a test comes by its loop leads to the chosen one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

PATIENCE = 120.0

#: A loop of one's own, and a file that says which was used where.
MY_LOOP = """
import asyncio

class MyLoop(asyncio.SelectorEventLoop):
    pass

def used(where):
    with open("used.txt", "a") as file:
        file.write(f"{where} {type(asyncio.get_running_loop()).__name__}\\n")
"""

PLAIN = """
import asyncio
from my_loop import used

async def program():
    used("program")

def test_run():
    asyncio.run(program())

def test_runner():
    with asyncio.Runner() as runner:
        runner.run(program())

def test_new_event_loop():
    loop = asyncio.new_event_loop()
    loop.run_until_complete(program())
    loop.close()
"""

UNITTEST = """
import unittest
from my_loop import used

class Test(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        used("setup")

    async def test_it(self):
        used("test")
"""

UNITTEST_OWN_FACTORY = """
import asyncio

class Own(asyncio.SelectorEventLoop):
    pass
""" + UNITTEST.replace(
    "    async def asyncSetUp", "    loop_factory = Own\n\n    async def asyncSetUp"
)

PYTEST_ASYNCIO = """
import pytest, pytest_asyncio
from my_loop import used

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared():
    used("fixture")
    yield
    used("end")

@pytest.mark.asyncio(loop_scope="module")
async def test_shared(shared):
    used("shared")

@pytest.mark.asyncio
async def test_own():
    used("own")
"""

PYTEST_ASYNCIO_AUTO = """
import pytest
from my_loop import used

@pytest.fixture
async def fixture():
    used("fixture")

async def test_own(fixture):
    used("own")
"""

ANYIO = """
import pytest
from my_loop import used

@pytest.fixture
async def fixture(anyio_backend):
    used("fixture")

@pytest.mark.anyio
async def test_it(fixture):
    used("test")
"""

OTHER = """
import asyncio, pytest

class Other(asyncio.SelectorEventLoop):
    pass

class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return Other()
"""


@pytest.fixture
def suite(tmp_path: Path):
    """Runs a suite in a pytest of its own; the lines of used.txt, and what it printed."""

    def run(text: str, *options: str, conftest: str = "") -> tuple[list[str], str]:
        (tmp_path / "my_loop.py").write_text(MY_LOOP)
        (tmp_path / "conftest.py").write_text(conftest)
        (tmp_path / "test_it.py").write_text(text)
        (tmp_path / "used.txt").write_text("")
        said = pytest_says(tmp_path, *options)
        assert said.returncode == 0, said.stdout + said.stderr
        return (tmp_path / "used.txt").read_text().splitlines(), said.stdout

    return run


def pytest_says(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:looptime_plugin",
        "-p",
        "loopgauge.conformance.plugin",
    ]
    paths = filter(None, [os.environ.get("PYTHONPATH"), str(folder)])
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-m", "pytest", *words, *options, "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def needs(package: str) -> None:
    try:
        distribution(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")


#: pytest-asyncio warns of a session without this, and without pytest-asyncio pytest does.
ASYNCIO = ("-o", "asyncio_default_fixture_loop_scope=function")
NO_ASYNCIO = ("-p", "no:asyncio")

MINE = ("--loop", "my_loop:MyLoop")

#: Name, package it needs, test file, further options, what used.txt names.
SUITES = [
    pytest.param("", PLAIN, NO_ASYNCIO, ["program"] * 3, id="plain"),
    pytest.param("", UNITTEST, NO_ASYNCIO, ["setup", "test"], id="unittest"),
    pytest.param(
        "pytest-asyncio",
        PYTEST_ASYNCIO,
        ("--asyncio-mode=strict", *ASYNCIO),
        ["fixture", "shared", "own", "end"],
        id="pytest-asyncio-strict",
    ),
    pytest.param(
        "pytest-asyncio",
        PYTEST_ASYNCIO_AUTO,
        ("--asyncio-mode=auto", *ASYNCIO),
        ["fixture", "own"],
        id="pytest-asyncio-auto",
    ),
    pytest.param("anyio", ANYIO, NO_ASYNCIO, ["fixture", "test"], id="anyio"),
]


@pytest.mark.parametrize(("package", "text", "options", "places"), SUITES)
def test_the_chosen_loop_is_used(suite, package, text, options, places) -> None:
    if package:
        needs(package)
    used, said = suite(text, *MINE, *options)
    assert sorted({line.split()[0] for line in used}) == sorted({*places})
    assert {line.split()[1] for line in used} == {"MyLoop"}
    assert "event loop: my_loop:MyLoop (my_loop:MyLoop)" in said
    assert "warning" not in said


@pytest.mark.parametrize(("package", "text", "options", "places"), SUITES)
def test_without_the_option_nothing_changes(suite, package, text, options, places) -> None:
    if package:
        needs(package)
    used, said = suite(text, *options)
    assert sorted({line.split()[0] for line in used}) == sorted({*places})
    assert {line.split()[1] for line in used} == {"_UnixSelectorEventLoop"}
    assert "event loop:" not in said


def test_registered_names_show_their_version(suite) -> None:
    _, said = suite(PLAIN, *NO_ASYNCIO, "--loop", "asyncio")
    assert "event loop: asyncio" in said
    assert "(asyncio:" in said


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="policies are deprecated")
def test_a_policy_of_the_suite_is_overruled(suite) -> None:
    conftest = OTHER + "asyncio.set_event_loop_policy(Policy())\n"
    assert {line.split()[1] for line in suite(PLAIN, *NO_ASYNCIO, conftest=conftest)[0]} == {
        "Other"
    }
    assert {line.split()[1] for line in suite(PLAIN, *NO_ASYNCIO, *MINE, conftest=conftest)[0]} == {
        "MyLoop"
    }


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the attribute is new in 3.13")
def test_a_loop_factory_of_a_test_case_is_overruled(suite) -> None:
    assert {line.split()[1] for line in suite(UNITTEST_OWN_FACTORY, *NO_ASYNCIO)[0]} == {"Own"}
    assert {line.split()[1] for line in suite(UNITTEST_OWN_FACTORY, *NO_ASYNCIO, *MINE)[0]} == {
        "MyLoop"
    }


def test_loop_factories_of_pytest_asyncio_are_overruled(suite) -> None:
    plugin = pytest.importorskip("pytest_asyncio.plugin")
    if not hasattr(plugin.PytestAsyncioSpecs, "pytest_asyncio_loop_factories"):
        pytest.skip("this pytest-asyncio has no loop factories")
    conftest = """
import asyncio

class Other(asyncio.SelectorEventLoop):
    pass

def pytest_asyncio_loop_factories(config, item):
    return {"other": Other}
"""
    strict = ("--asyncio-mode=strict", *ASYNCIO)
    assert {line.split()[1] for line in suite(PYTEST_ASYNCIO, *strict, conftest=conftest)[0]} == {
        "Other"
    }
    used, _ = suite(PYTEST_ASYNCIO, *strict, *MINE, conftest=conftest)
    assert {line.split()[1] for line in used} == {"MyLoop"}


def test_options_of_an_anyio_backend_are_overruled(suite) -> None:
    needs("anyio")
    conftest = """
import asyncio, pytest

class Other(asyncio.SelectorEventLoop):
    pass

@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": Other, "debug": True}
"""
    assert {line.split()[1] for line in suite(ANYIO, *NO_ASYNCIO, conftest=conftest)[0]} == {
        "Other"
    }
    used, _ = suite(ANYIO, *NO_ASYNCIO, *MINE, conftest=conftest)
    assert {line.split()[1] for line in used} == {"MyLoop"}


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        ("asynci", "did you mean asyncio"),
        ("my_loop:Nothing", "cannot import my_loop:Nothing"),
        ("builtins:dict", "builtins:dict"),
    ],
)
def test_a_loop_that_cannot_be_had_is_a_usage_error(tmp_path: Path, loop: str, words: str) -> None:
    (tmp_path / "my_loop.py").write_text(MY_LOOP)
    (tmp_path / "test_it.py").write_text(PLAIN)
    said = pytest_says(tmp_path, *NO_ASYNCIO, "--loop", loop)
    assert said.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --loop: " in said.stderr
    assert words in said.stderr


def test_a_loop_of_the_current_folder_is_found(tmp_path: Path) -> None:
    """As by the `pytest` script, which has another folder in its search path."""
    (tmp_path / "near.py").write_text("from asyncio import SelectorEventLoop as loop\n")
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    words = ["-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    plugin = ["-p", "loopgauge.conformance.plugin", "--loop", "near:loop"]
    said = subprocess.run(
        [sys.executable, *words, *plugin],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "1 passed" in said.stdout
