"""A folder of its own with one test file, and what pytest said and wrote there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from loopgauge.harness.model import Sample
from loopgauge.harness.store import RunFile, read_run

PLUGIN = "loopgauge.harness.pytest_plugin"
QUICK = ("--loop-benchmark-seconds", "0.01")  # the fewest blocks there are

WORK = """
    import asyncio
    import contextlib
    import pytest

    async def hop(n=1):
        for _ in range(n):
            await asyncio.sleep(0)
        return n
"""


@dataclass
class Answer:
    code: int
    out: str
    folder: Path
    text: str

    @property
    def runs(self) -> list[Path]:
        return sorted((self.folder / ".bench" / "runs").glob("*.jsonl"))

    @property
    def run(self) -> RunFile:
        (path,) = self.runs
        return read_run(path)

    def outcome(self, **counts: int) -> None:
        last = self.out.strip().splitlines()[-1]
        for word, count in counts.items():
            assert f"{count} {word}" in last, self.out


Project = Callable[..., Answer]


def project_in(folder: Path) -> Project:
    """Writes test_it.py and runs pytest there. Of the other plugins only `plugins` are loaded."""

    def run(
        text: str,
        *options: str,
        plugins: Sequence[str] = (),
        common: str = WORK,
        variables: dict[str, str] | None = None,
    ) -> Answer:
        source = textwrap.dedent(common) + textwrap.dedent(text)
        (folder / "test_it.py").write_text(source, encoding="utf-8")
        given = [part for name in (PLUGIN, *plugins) for part in ("-p", name)]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *given]
        done = subprocess.run(
            [*command, *QUICK, *options],
            cwd=folder,
            env={
                **os.environ,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "COLUMNS": "120",
                **(variables or {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, folder, text)

    return run


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed for this Python")


def rounds(samples: Sequence[Sample]) -> set[tuple[str, str, int]]:
    return {(s.benchmark, s.arm, s.round) for s in samples}
