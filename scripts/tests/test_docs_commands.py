"""Every command that the pages and `--help` show is one that the program takes. What costs little
is really run, `bench run` with --dry-run; what costs minutes is parsed by the command itself."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from docs_testing import project
from docs_testing.shown import (
    ROOT,
    Shown,
    commands,
    hidden_commands,
    inline_commands,
    pages,
    simple_commands,
)

sys.path.insert(0, str(ROOT / "scripts"))

from devtools import cli as developer
from docsite import reference
from loopgauge.harness.cli import COMMANDS, main

PAGES = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in pages()}
HELP = {f"bench {name} --help": reference.page(name) for name in COMMANDS}
FENCED = [shown for page, text in (PAGES | HELP).items() for shown in commands(text, page)]
INLINE = [shown for page, text in PAGES.items() for shown in inline_commands(text, page)]

# What is only parsed, and why. Each has tests of its own that really do it.
EXPENSIVE = {
    "gate": "builds two sides, and measures for minutes",
    "validate": "asks every case, and measures every scenario",
    "explain": "counts under valgrind",
    "load": "needs a server",
}
# Words of other programs, which the pages only mention as the way to get somewhere.
STRANGERS = {"pip", "uvicorn", "cp", "cd", "git", "ulimit"}
STRANGERS |= {"dask"}  # which test_deploy_services starts
SCRIPTS = {"-", "repro.py"}  # what `bench repro` has printed


def is_cheap(words: tuple[str, ...]) -> bool:
    command = words[1]
    if any(word.startswith("/") or "://" in word or word == "--on" for word in words):
        return False  # what is not in the project is not ours to write, and servers are not there
    if "--on" in words:
        return False  # a cluster is started for it
    if command == "run":
        # A library that is an empty file here, and a run that was interrupted.
        return not {"--native", "--resume"} & {*words}
    if command == "conformance":
        return (
            any(re.match(r"[A-Z]+-\d{3}", word) for word in words) and "--in-process" not in words
        )
    return command not in EXPENSIVE


def runnable(words: tuple[str, ...]) -> list[str]:
    """As a shell hands it over; without a browser, and for `bench run` without measuring."""
    kept = [name for word in words[1:] for name in expanded(word)]
    kept = [word for word in kept if word != "--open"]
    return [*kept, "--dry-run"] if kept[0] == "run" else kept


def expanded(word: str) -> list[str]:
    """A pattern that fits files of the project."""
    if not re.fullmatch(r"[\w./-]*\*[\w./-]*", word):
        return [word]
    return [str(path) for path in sorted(Path().glob(word))] or [word]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    project.make(folder)
    with contextlib.chdir(folder):
        for name, form in (("google", "google-benchmark"), ("bench", "pyperf")):
            arguments = ["report", "latest", "--format", form, "--arm", "uvloop"]
            assert invoke([*arguments, "--out", f"{name}.json"]).exit_code in (0, 6)
        for copy in ("old", "new", "theirs", "run1", "run2", "run3"):
            shutil.copy("bench.json", f"{copy}.json")
        assert invoke(["history", "import", "--all"]).exit_code == 0
        shutil.copy(".bench/history.sqlite", "central.sqlite")
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """A project of its own for each command, so that none sees what another has written."""
    copy = tmp_path / "project"
    shutil.copytree(made, copy)
    monkeypatch.chdir(copy)
    monkeypatch.syspath_prepend(copy)
    return copy


def invoke(words: list[str]) -> Result:
    return CliRunner().invoke(main, words, prog_name="bench")


def parsed(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Result:
    """As the command line does it, up to where the command would begin."""
    monkeypatch.setattr(click.Command, "invoke", lambda self, ctx: None)
    return invoke([*words[1:]])


def names(shown: list[Shown]) -> list[Shown]:
    return [*{item.words: item for item in shown}.values()]


BENCH = names([shown for shown in FENCED if shown.is_bench])
CHEAP = [shown for shown in BENCH if is_cheap(shown.words) and not shown.why_not]


def test_there_is_something_to_try():
    assert {page for page in PAGES if page.startswith("docs/")} >= {"docs/index.md", "docs/gate.md"}
    assert len(BENCH) > 60
    assert len(CHEAP) > 40
    assert {shown.words[1] for shown in BENCH} == {*COMMANDS}


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_where_they_are_tried(page):
    assert hidden_commands(PAGES[page]) == []


@pytest.mark.parametrize("shown", BENCH, ids=str)
def test_bench_takes_it(shown, folder, monkeypatch):
    done = parsed(shown.words, monkeypatch)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("shown", names(INLINE), ids=str)
def test_bench_takes_what_the_text_mentions(shown, folder, monkeypatch):
    if not shown.is_bench:
        developers_command(shown.words)
        return
    done = parsed(shown.words, monkeypatch)
    assert done.exit_code == 0 or "Missing argument" in done.output, done.output


@pytest.mark.parametrize("shown", CHEAP, ids=str)
def test_bench_does_it(shown, folder):
    done = invoke(runnable(shown.words))
    assert done.exit_code in allowed(shown.words), done.output


def allowed(words: tuple[str, ...]) -> set[int]:
    """6: a loop or a tool that is not installed here is left out. 5: two made-up results differ, or
    uvloop has a fault. 8: this machine is noisy. 3: so few processes decide nothing."""
    more = {"conformance": {5}, "report": {5, 6}, "doctor": {8}, "compare": {1, 3, 6}, "run": {6}}
    return {0, *more.get(words[1], set())}


OTHERS = names([shown for shown in FENCED if not shown.is_bench and not shown.why_not])


@pytest.mark.parametrize("shown", OTHERS, ids=str)
def test_other_commands_exist(shown):
    words = shown.words
    if words[0] in ("scripts/dev", "scripts/test"):
        developers_command(words)
    elif words[0] == "python" and words[1] != "-m":
        assert words[1] in SCRIPTS
    elif words[0] in ("python", "pytest"):
        module = words[0] if words[0] == "pytest" else words[2]
        assert importlib.util.find_spec(module) is not None
    else:
        assert words[0] in STRANGERS, f"{shown}: run it, or say why not: <!-- not run: ... -->"


def developers_command(words: tuple[str, ...]) -> None:
    if words[0] == "scripts/test":
        assert (ROOT / "scripts" / "test").exists()
        return
    if words[1] == "--help" or words[2:3] == ("NAME",):
        return
    arguments, rest = developer._parser().parse_known_args([*words[1:]])
    assert arguments.passes_on or not rest, rest
    if words[1] == "study":
        assert (ROOT / "scripts" / "studies" / f"{arguments.name}.py").exists()


def test_the_plugin_runs_a_test_on_a_loop(folder, tmp_path):
    test = tmp_path / "test_it.py"
    test.write_text(
        "import asyncio\n\n\ndef test_it():\n    async def main():\n"
        "        return type(asyncio.get_running_loop()).__module__\n\n"
        "    assert 'loopgauge' in asyncio.run(main())\n",
        encoding="utf-8",
    )
    words = next(shown.words for shown in OTHERS if shown.words[:2] == ("pytest", "-p"))
    words = tuple("epoll" if word == "uvloop" else word for word in words)
    done = subprocess.run(
        [sys.executable, "-m", *words, "-q", "-p", "no:cacheprovider", test],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("bench list loops  # all\n", [("bench", "list", "loops")]),
        ("PYTHON=3.13 scripts/bench run\n", [("scripts/bench", "run")]),
        (
            "bench a > x.csv\nbench b | python -\n",
            [("bench", "a"), ("bench", "b"), ("python", "-")],
        ),
        ("cp -r a b && cd b\n", [("cp", "-r", "a", "b"), ("cd", "b")]),
        ("bench run \\\n  x 'a b'\n", [("bench", "run", "x", "a b")]),
    ],
)
def test_the_reading_of_scripts_itself(script, found):
    assert [*simple_commands(script)] == found


def test_wrong_options_and_hidden_commands_are_noticed(folder, monkeypatch):
    assert invoke(["run", "slep0", "--dry-run"]).exit_code == 2
    assert parsed(("bench", "run", "--quickly"), monkeypatch).exit_code == 2
    assert parsed(("bench", "rnu"), monkeypatch).exit_code == 2
    assert hidden_commands("Text:\n\n    bench run x\n") == ["    bench run x"]
    assert hidden_commands("```\nbench run x\n```\n") == ["bench run x"]
