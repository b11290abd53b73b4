"""Test suites that choose the loop through their plugin's loop factory run on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ecosystem_testing import packages
from loop_testing import process, target

TEST = """
import asyncio
import pytest
from loop_testing import target

kind = target.target_factory()()
kind.close()

@pytest.fixture
async def server():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()

@pytest.mark.{mark}
async def test_exchange(server):
    assert type(asyncio.get_running_loop()) is type(kind)
    reader, writer = await asyncio.open_connection(*server)
    writer.write(b"line\\n")
    assert await reader.readline() == b"line\\n"
    writer.close()
    await writer.wait_closed()

@pytest.mark.{mark}
async def test_failing():
    await asyncio.sleep(0)
    raise LookupError("told")
"""


def outcome(folder: Path, conftest: str, mark: str, *options: str) -> str:
    """What a pytest of its own says about TEST."""
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text(TEST.format(mark=mark))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *options, str(folder)],
        env=process.environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=process.PATIENCE,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "LookupError: told" in done.stdout
    return done.stdout.splitlines()[-1]


def test_pytest_asyncio(tmp_path: Path) -> None:
    packages.installed("pytest-asyncio", "pytest_asyncio")
    conftest = f"""
import importlib

def pytest_asyncio_loop_factories(config, item):
    module, _, name = {target.target_name()!r}.partition(":")
    return {{"loop": getattr(importlib.import_module(module), name)}}
"""
    said = outcome(tmp_path, conftest, "asyncio", "--asyncio-mode=auto", "-p", "no:looptime_plugin")
    assert said.startswith("1 failed, 1 passed")


def test_anyio(tmp_path: Path) -> None:
    packages.installed("anyio")
    conftest = """
import pytest
from loop_testing import target

@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": target.target_factory()}
"""
    said = outcome(tmp_path, conftest, "anyio", "-p", "no:asyncio", "-p", "no:looptime_plugin")
    assert said.startswith("1 failed, 1 passed")
