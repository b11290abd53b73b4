"""Conformance results on the command line: what is made of them, and of files that are none."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import jsonschema
import msgspec
import pytest

from loopgauge.conformance.model import AnyRecord, End, Header, Subject, Verdict
from loopgauge.conformance.schema import json_schema

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

STORED = ".bench/conformance/20261122T010837Z-000000.jsonl"

ONE = ("conformance", "SOON-001.three", "--loop", "asyncio", "--jobs", "1")


def written(path: Path, *verdicts: Verdict, end: bool = True) -> Path:
    header = Header(
        created="2026-11-22T01:08:37+00:00",
        python="3.13.0",
        lanes=["rules"],
        subjects=[Subject(loop="uvloop", factory="uvloop:new_event_loop", version="1")],
    )
    records: list[AnyRecord] = [header, *verdicts, *([End()] if end else [])]
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    return path


def verdict(case: str = "SOON-001.three", **members: object) -> Verdict:
    given = {
        "loop": "uvloop",
        "rule": case.partition(".")[0],
        "case": case,
        "level": "MUST",
        "profile": "Core",
        "verdict": "PASS",
        "factory": "uvloop:new_event_loop",
        "version": "1",
        "python": "3.13.0",
    }
    return msgspec.convert({"record": "verdict", **given, **members}, Verdict)


def test_a_run_with_everything_that_can_be_made_of_it(bench: Bench) -> None:
    done = bench(*ONE, "--json", "--junit", "out/j.xml", "--report=pages", "--badge", "b.svg",
                 "--out", "r.jsonl")  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["kind"], summary["exit_code"]) == ("conformance-summary", 0)
    assert (summary["whole"], summary["selection"]) == (False, ["SOON-001.three"])
    (loop,) = summary["loops"]
    assert loop["verdicts"] == {"rules": {"PASS": 1}}
    (suite,) = ElementTree.parse(bench.folder / "out/j.xml").getroot()
    assert suite.get("tests") == "1"
    assert (bench.folder / "pages/case/SOON-001.three.html").exists()
    assert "report: pages/index.html" in done.stderr
    assert json.loads((bench.folder / "b.json").read_text())["message"] == "not decided"
    assert "badge: b.svg and b.json" in done.stderr
    for line in (bench.folder / "r.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(line), json_schema())


def test_a_pipe_gets_plain_lines(bench: Bench) -> None:
    done = bench(*ONE, COLUMNS="60")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "asyncio: rules, 1 case\n" in done.stderr
    assert "report: bench report .bench/conformance/" in done.stderr


def test_a_result_is_not_written_over(bench: Bench) -> None:
    written(bench.folder / "r.jsonl")
    done = bench(*ONE, "--out", "r.jsonl")
    assert done.returncode == 2
    assert "r.jsonl holds something already" in done.stderr


def test_results_of_several_runs_make_one_folder(bench: Bench) -> None:
    written(bench.folder / "a.jsonl", verdict())
    written(bench.folder / "b.jsonl", verdict("SOON-002.x", verdict="FAIL"), end=False)
    done = bench("report", "a.jsonl", "b.jsonl")
    assert done.returncode == 0, done.stderr
    assert "html: a/index.html" in done.stderr
    assert {page.name for page in (bench.folder / "a/case").iterdir()} == {
        "SOON-001.three.html", "SOON-002.x.html",
    }  # fmt: skip


def test_measurements_and_verdicts_are_not_compared(bench: Bench) -> None:
    written(bench.folder / "a.jsonl", verdict())
    (bench.folder / "b.jsonl").write_text('{"record":"header","kind":"run","schema":1}\n')
    done = bench("compare", "a.jsonl", "b.jsonl")
    assert done.returncode == 2
    assert "nothing to compare" in done.stderr


def test_a_matrix_is_html(bench: Bench) -> None:
    written(bench.folder / "a.jsonl", verdict())
    done = bench("report", "a.jsonl", "--format", "csv")
    assert done.returncode == 2
    assert "html only" in done.stderr


@pytest.mark.parametrize("line", [1, 2])
def test_a_newer_schema_is_named_as_such(bench: Bench, line: int) -> None:
    path = written(bench.folder / "a.jsonl", verdict())
    lines = path.read_text().splitlines()
    lines[line - 1] = lines[line - 1].replace('"schema":1', '"schema":2')
    path.write_text("\n".join(lines))
    done = bench("report", "a.jsonl")
    assert done.returncode == 7
    assert f"a.jsonl, line {line}: written with schema 2" in done.stderr
    assert "Update loopgauge" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_line_is_named(bench: Bench) -> None:
    path = written(bench.folder / "a.jsonl", verdict(), verdict())
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], lines[1][:40], *lines[2:]]))
    done = bench("report", "a.jsonl")
    assert done.returncode == 7
    assert "a.jsonl, line 2" in done.stderr


def test_a_regression_between_two_results(bench: Bench) -> None:
    written(bench.folder / "old.jsonl", verdict(), verdict("SOON-002.x", verdict="FAIL"))
    written(bench.folder / "new.jsonl", verdict(verdict="HANG", reason="no end"))
    done = bench("report", "--diff", "old.jsonl", "new.jsonl", "--out", "pages")
    assert done.returncode == 5, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "old.jsonl -> new.jsonl"
    assert lines[1].startswith("1 regression")
    assert lines[2].strip() == "SOON-001.three MUST uvloop: PASS -> HANG: no end"
    assert "1 removed" in done.stdout
    assert "html: pages/diff.html" in done.stderr
    back = bench("report", "--diff", "new.jsonl", "old.jsonl")
    assert back.returncode == 0


@pytest.mark.parametrize("names", [["a.jsonl"], ["a.jsonl", "a.jsonl", "a.jsonl"]])
def test_a_difference_has_two_sides(bench: Bench, names: list[str]) -> None:
    written(bench.folder / "a.jsonl", verdict())
    done = bench("report", "--diff", *names)
    assert done.returncode == 2
    assert "two results" in done.stderr


def test_a_badge_is_that_of_one_loop(bench: Bench) -> None:
    done = bench("conformance", "SOON-001.three", "--loop", "all", "--badge", "b.svg")
    assert done.returncode == 2
    assert "--badge belongs to one loop" in done.stderr


def test_what_was_asked_before_an_interruption_is_kept(bench: Bench) -> None:
    with bench.started("conformance", "--loop", "asyncio", "--out", "r.jsonl") as process:
        assert process.stderr is not None
        bench.read_until(process.stderr, "asyncio: rules")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert "interrupted: the verdicts until then are kept in r.jsonl" in said
    assert "Traceback" not in said
    last = json.loads((bench.folder / "r.jsonl").read_text().splitlines()[-1])
    assert (last["record"], last["complete"]) == ("end", False)
    assert bench("report", "r.jsonl").returncode == 0
    assert "did not come to its end" in (bench.folder / "r/index.html").read_text()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--loop", "epoll", "--expectations", "broken.toml"], "broken.toml"),
        (["--loop", "epoll", "--expectations", "none.toml"], "none.toml does not exist"),
        (["--loop", "all", "--expectations", "broken.toml"], "name just one --loop"),
        (["--loop", "m:f", "--update-expectations"], "needs --expectations"),
    ],
)
def test_expectations_are_read_before_anything_is_asked(
    bench: Bench, words: list[str], complaint: str
) -> None:
    (bench.folder / "broken.toml").write_text("[[expect]\n")
    (bench.folder / "m.py").write_text("from asyncio import SelectorEventLoop as f\n")
    done = bench("conformance", "SOON-001.three", *words)
    assert done.returncode == 2, done.stderr
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.folder / ".bench").exists()


@pytest.mark.parametrize("text", ["FOO", "=x"])
def test_a_variable_has_a_name_and_a_value(bench: Bench, text: str) -> None:
    done = bench(*ONE, "--env", text)
    assert done.returncode == 2
    assert "--env wants KEY=VALUE" in done.stderr


def test_modules_of_the_user_that_are_called_like_ours_or_pythons(bench: Bench) -> None:
    for name in ("queue", "select", "tempfile", "code", "conformance", "case", "trial", "runner"):
        bench.write(f"{name}.py", f"raise RuntimeError('{name} of the user')")
    bench.write("mine.py", "from asyncio import SelectorEventLoop as loop")
    done = bench("conformance", "SOON-001.three", "--loop", "mine:loop", "--jobs", "1")
    assert done.returncode == 0, done.stderr


def test_an_update_is_done_once(bench: Bench) -> None:
    (bench.folder / "m.py").write_text(
        "import asyncio\nclass Late(asyncio.SelectorEventLoop):\n    def time(self): return 1\n"
    )
    words = ("conformance", "TIME-001", "--loop", "m:Late", "--expectations", "known.toml")
    assert bench(*words, "--update-expectations").returncode == 0
    text = (bench.folder / "known.toml").read_text()
    assert "TIME-001.float" in text
    assert bench(*words, "--update-expectations").returncode == 0
    assert (bench.folder / "known.toml").read_text() == text
    assert bench(*words).returncode == 0


def stored(bench: Bench, *verdicts: Verdict) -> None:
    path = bench.folder / STORED
    path.parent.mkdir(parents=True)
    written(path, *verdicts)


def test_what_failed_last_is_asked_in_its_own_lane(bench: Bench) -> None:
    case = "ecosystem:anyio.udp"
    failed = {"verdict": "FAIL", "status": "unexpected", "loop": "asyncio"}
    stored(bench, verdict(lane="ecosystem", **{**failed, "rule": ""}, case=case))
    done = bench("conformance", "--last-failed", "--loop", "asyncio", "--out", "r.jsonl")
    assert "asyncio: ecosystem, 1 case\n" in done.stderr


@pytest.mark.parametrize("what", [["TIME"], []])
def test_nothing_that_failed_is_no_success(bench: Bench, what: list[str]) -> None:
    stored(bench, verdict(verdict="FAIL" if what else "PASS"))
    done = bench("conformance", *what, "--last-failed")
    assert done.returncode == 2
    assert "nothing failed in" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_process(bench: Bench, number: int, code: int) -> None:
    bench.write(
        "m.py",
        """
        import asyncio, os, sys

        class Hangs(asyncio.SelectorEventLoop):
            runs = 0

            def run_forever(self):
                Hangs.runs += 1
                if Hangs.runs > 2:  # the first ones are not of the case
                    print(os.environ["SAID"], file=sys.stderr, flush=True)
                    while True:
                        pass
                super().run_forever()
        """,
    )
    words = (
        "conformance",
        "SOON-001.three",
        "--loop",
        "m:Hangs",
        "--in-process",
        "--env",
        "SAID=hangs",
    )
    with bench.started(*words) as process:
        assert process.stderr
        bench.read_until(process.stderr, "hangs")
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(30) == code
    assert "interrupted: the verdicts until then are kept in" in said
