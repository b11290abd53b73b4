"""What a person at a terminal sees: a moving bar, colours, Ctrl-C; and what a log file gets."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

RUN = ("run", "sleep0", "--quick", "--loop", "asyncio")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[1-7](;[0-9]+)*m")
PATIENCE_S = 60


class Terminal:
    """A pseudo-terminal with a process on it; Ctrl-C typed into it reaches that process."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self.screen = screen
        self.seen = ""

    def read(self) -> bool:
        """False at the end: Linux says EIO when the last process has left the terminal."""
        ready, _, _ = select.select([self.screen], [], [], PATIENCE_S)
        assert ready, f"nothing more came after:\n{self.seen}"
        try:
            self.seen += os.read(self.screen, 1 << 16).decode(errors="replace")
        except OSError:
            return False
        return True

    def read_until(self, words: str) -> None:
        while words not in self.seen:
            assert self.read(), f"{words!r} never came in:\n{self.seen}"

    def read_all(self) -> str:
        while self.read():
            pass
        self.process.wait(PATIENCE_S)
        return self.seen

    def type(self, keys: bytes) -> None:
        os.write(self.screen, keys)


@contextmanager
def terminal(
    bench: Bench, *words: str, columns: int = 80, rounds: int = 2, **variables: str
) -> Iterator[Terminal]:
    screen, inner = os.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        bench.command(*words, rounds=rounds),
        cwd=bench.folder,
        env=bench.environment(**variables),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(inner)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def plain(text: str) -> str:
    return CONTROL.sub("", text)


def test_a_terminal_gets_a_bar_with_the_remaining_time(bench: Bench) -> None:
    with terminal(bench, *RUN) as screen:
        seen = screen.read_all()
    assert screen.process.returncode == 0
    assert "━" in seen
    assert re.search(r"measuring \d/2.* %.*\d:\d\d left", plain(seen))
    table = plain(seen)
    assert "asyncio" in table[table.rindex("throughput.sleep0  ") :]


def test_ctrl_c_at_the_terminal(bench: Bench) -> None:
    with terminal(bench, *RUN, rounds=40) as screen:
        screen.read_until("measuring 1/")
        screen.type(b"\x03")
        seen = plain(screen.read_all())
    assert screen.process.returncode == 130
    assert "interrupted: what was finished is kept in .bench/runs/" in seen
    assert "go on with: bench run --resume .bench/runs/" in seen
    assert "Traceback" not in seen
    assert "\x1b[?25h" in screen.seen, "the cursor is hidden still"


@pytest.mark.parametrize("columns", [60, 80])
def test_no_line_is_wider_than_the_terminal(bench: Bench, columns: int) -> None:
    with terminal(bench, *RUN, "--loop", "veloxloop:no_such", columns=columns) as screen:
        seen = screen.read_all()
    table = plain(seen)
    table = table[table.rindex("throughput.sleep0  ") :]
    lines = [
        line for line in table.splitlines() if not line.startswith(("run:", "report:", "left"))
    ]
    assert max(map(len, lines)) <= columns


def test_colours_only_where_they_are_wanted(bench: Bench) -> None:
    with terminal(bench, "doctor") as screen:
        assert COLOUR.search(screen.read_all())
    with terminal(bench, "doctor", NO_COLOR="1") as screen:
        assert not COLOUR.search(screen.read_all())


def test_a_ci_server_gets_lines_even_on_its_fake_terminal(bench: Bench) -> None:
    with terminal(bench, *RUN, CI="true") as screen:
        seen = screen.read_all()
    assert "━" not in seen
    assert "measuring 1/2" in seen
    assert "\x1b[?25l" not in seen


def test_a_pipe_gets_plain_lines_and_the_whole_table(bench: Bench) -> None:
    done = bench(*RUN)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
    assert re.search(r"^ +\d+%  measuring 1/2, \d:\d\d left$", done.stderr, re.MULTILINE)
    assert "against stock asyncio" in done.stdout
    assert "measuring" not in done.stdout


def test_columns_narrow_a_pipe_too(bench: Bench) -> None:
    done = bench(*RUN, COLUMNS="60")
    assert max(map(len, done.stdout.splitlines())) <= 60


def test_the_bar_starts_no_thread(bench: Bench) -> None:
    """A refresh thread would wake up beside the measurement."""
    with terminal(bench, *RUN, rounds=40) as screen:
        screen.read_until("measuring 1/")
        threads = psutil.Process(screen.process.pid).num_threads()
    assert threads == 1


def test_json_is_all_that_stdout_holds(bench: Bench) -> None:
    done = bench(*RUN, "--json")
    document = json.loads(done.stdout)
    assert (document["schema"], document["kind"], document["exit_code"]) == (1, "run-summary", 0)
    (benchmark,) = document["benchmarks"]
    assert benchmark["id"] == "throughput.sleep0"
    assert {arm["role"] for arm in benchmark["arms"]} == {"reference", "aa"}
    assert {"aa_ok", "advisory", "self_check", "notes", "events", "header"} <= document.keys()


def test_an_applications_own_coroutine(bench: Bench) -> None:
    bench.write(
        "my_app.py",
        """
        import asyncio

        async def main():
            await asyncio.sleep(0)
    """,
    )
    done = bench("run", "my_app:main", "--quick", "--loop", "asyncio")
    assert done.returncode == 0, done.stderr
    assert "app:my_app:main" in done.stdout


def test_a_report_on_the_way(bench: Bench) -> None:
    done = bench("run", "--report", "sleep0", "--quick", "--loop", "asyncio")
    assert done.returncode == 0, done.stderr
    (run,) = bench.runs()
    page = run.with_suffix(".html")
    assert f"report: .bench/runs/{page.name}" in done.stderr
    assert "throughput.sleep0" in page.read_text()
    done = bench("run", "sleep0", "--quick", "--loop", "asyncio", "--report=page.html")
    assert (bench.folder / "page.html").exists()


def test_reports_in_every_format(bench: Bench) -> None:
    assert bench(*RUN, "--out", "a.jsonl").returncode == 0
    formats = [word for name in ("html", "md", "csv", "svg") for word in ("--format", name)]
    done = bench("report", "a.jsonl", *formats, "--out", "all")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (bench.folder / "all").iterdir()}
    assert {"a.html", "a.md", "a.csv"} <= names
    assert any(name.endswith(".svg") for name in names)
    table = bench("report", "a.jsonl", "--format", "md").stdout
    assert "throughput.sleep0" in table
    assert bench("report", "a.jsonl").returncode == 0
    assert (bench.folder / "a.html").exists()


def test_the_doctor_answers_programs_too(bench: Bench) -> None:
    done = bench("doctor", "--json")
    document = json.loads(done.stdout)
    assert document["kind"] == "doctor"
    assert document["exit_code"] == done.returncode
    assert {"check", "level", "found", "meaning", "cure"} <= document["findings"][0].keys()


def test_a_conformance_run_has_a_bar_for_every_loop(bench: Bench) -> None:
    asked = ("conformance", "SOON-001", "--loop", "epoll", "--jobs", "1")
    with terminal(bench, *asked, columns=60) as screen:
        seen = screen.read_all()
    text = plain(seen)
    assert screen.process.returncode == 0, text
    assert "asyncio rules" in text
    assert "epoll rules" in text
    assert "━" in text
    assert "\x1b[?25h" in seen, "the cursor is hidden still"
    table = text[text.rindex("asyncio 3.") :]
    assert max(len(line) for line in table.splitlines() if ":" not in line) <= 60
