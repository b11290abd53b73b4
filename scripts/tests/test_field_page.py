"""README.md and docs/field.md say what the published results say; how results get published."""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "reports" / "tests"))

import field_page  # noqa: E402
import publish_gate  # noqa: E402
import publish_run  # noqa: E402
import publish_verdicts  # noqa: E402
from report_testing import verdicts  # noqa: E402
from report_testing.files import write_run  # noqa: E402

from loopgauge.conformance import store  # noqa: E402
from loopgauge.conformance.model import Header, Subject, Verdict  # noqa: E402

UVLOOP = "uvloop:new_event_loop"
SECTIONS = {"one": lambda: "1", "two": lambda: "2"}


@pytest.fixture
def fill(monkeypatch):
    """The script, with its exit code. The run is summarised once for all of these tests."""

    def call(*arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", ["field_page.py", *map(str, arguments)])
        return field_page.main()

    return call


def test_pages_of_the_project_are_current(fill, capsys):
    assert fill("--check") == 0, capsys.readouterr().err


def test_an_edited_section_is_found_and_made_anew(fill, tmp_path, capsys):
    text = (ROOT / "README.md").read_text("utf-8")
    page = tmp_path / "README.md"
    page.write_text(text.replace("MUST cases broken", "MUST cases kept", 1), "utf-8")
    assert fill("--check", page) == 1
    assert "run python scripts/field_page.py" in capsys.readouterr().err
    assert fill(page) == 0
    assert page.read_text("utf-8") == text


def test_sections_are_filled_and_nothing_else():
    text = (
        "# A\n\n<!-- field:two -->\n<!-- field:end -->\n\nB "
        "<!-- field:one -->\nold\n<!-- field:end -->"
    )
    made = field_page.with_sections(text, SECTIONS)
    assert made == (
        "# A\n\n<!-- field:two -->\n\n2\n\n<!-- field:end -->\n\nB "
        "<!-- field:one -->\n\n1\n\n<!-- field:end -->"
    )
    assert field_page.with_sections(made, SECTIONS) == made


@pytest.mark.parametrize(
    ("page", "fault"),
    [("# A\n", "no section"), ("<!-- field:x -->\n<!-- field:end -->", "is called 'x'")],
)
def test_a_page_that_cannot_be_filled(fill, tmp_path, capsys, page, fault):
    file = tmp_path / "page.md"
    file.write_text(page, "utf-8")
    assert fill(file) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: page.md: ")
    assert fault in said


# --- publishing


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/data/project/run.jsonl", "run.jsonl"),
        ("--out=/tmp/a/b", "--out=b"),
        ("File '/usr/lib/python3/x.py', line 3", "File 'x.py', line 3"),
        (r"address b'\x00/tmp/lg-1/2/own'", r"address b'\x00own'"),
        ("reader/writer/closer", "reader/writer/closer"),
        ("https://docs.python.org/3/library", "https://docs.python.org/3/library"),
        ("/", "/"),
    ],
)
def test_of_absolute_paths_the_last_part_is_kept(text, kept):
    assert publish_run.without_paths({"a": [text]}) == {"a": [kept]}


def test_how_a_python_was_configured_is_kept_but_for_home_folders():
    root, home = "/root", "/home"  # in pieces: no file names a folder of somebody's machine
    words = f"'--prefix={root}/.pyenv/versions/3.13.0' '--libdir=/usr/lib' '--x={home}/me/y'"
    kept = "'--prefix=~/.pyenv/versions/3.13.0' '--libdir=/usr/lib' '--x=~/y'"
    assert publish_run.without_paths({"config_args": words}) == {"config_args": kept}


def published(path: Path) -> store.Results:
    records, _ = publish_verdicts.merged([store.read(path)])
    assert isinstance(records[0], Header)
    return store.Results(path, records[0], [one for one in records[1:] if isinstance(one, Verdict)])


def test_registered_loops_get_their_names_and_evidence_is_cut(tmp_path):
    found = verdicts.evidence(traceback="line\n" * 50, observations=[("a", "1" * 900, "2")] * 9)
    path = verdicts.write_results(
        tmp_path / "a.jsonl",
        [
            verdicts.verdict("SOON-001.a", UVLOOP, factory=UVLOOP, evidence=found),
            verdicts.verdict(
                "SOON-001.a", "my:loop", factory="my:loop", verdict="FAIL", evidence=found
            ),
            verdicts.verdict("TestX.test_y", "my:loop", lane="cpython"),
        ],
    )
    made = published(path)
    assert [(one.loop, one.case) for one in made.verdicts] == [
        ("uvloop", "SOON-001.a"),
        ("my:loop", "SOON-001.a"),
    ]
    good, failing = (one.evidence for one in made.verdicts)
    assert not good.observations
    assert len(failing.observations) == 3
    assert max(len(text) for one in failing.observations for text in one) == 400
    assert len(failing.traceback.splitlines()) == 1 + publish_verdicts.LINES
    assert failing.resources
    assert not failing.events


def test_the_last_file_counts(tmp_path):
    old = verdicts.write_results(
        tmp_path / "a.jsonl",
        [verdicts.verdict(f"SOON-001.{name}", "epoll", verdict="FAIL") for name in "ab"],
    )
    new = verdicts.write_results(tmp_path / "b.jsonl", [verdicts.verdict("SOON-001.a", "epoll")])
    records, partly = publish_verdicts.merged([store.read(old), store.read(new)])
    given = {one.case: one.verdict for one in records if isinstance(one, Verdict)}
    assert given == {"SOON-001.a": "PASS", "SOON-001.b": "FAIL"}
    assert not partly


def test_loops_come_in_the_order_of_the_registry(tmp_path):
    names = ["my:loop", "uvloop", "epoll"]
    path = verdicts.write_results(
        tmp_path / "a.jsonl", [verdicts.verdict("SOON-001.a", name) for name in names]
    )
    records, _ = publish_verdicts.merged([store.read(path)])
    assert [one.loop for one in records[0].subjects] == ["epoll", "asyncio", "uvloop", "my:loop"]


def test_who_was_asked_in_part_is_left_out(tmp_path):
    path = verdicts.write_results(
        tmp_path / "a.jsonl",
        [
            *(verdicts.verdict(f"SOON-001.{name}", "epoll") for name in "ab"),
            verdicts.verdict("SOON-001.a", "rloop"),
        ],
    )
    records, partly = publish_verdicts.merged([store.read(path)])
    assert partly == {"rloop": 1}
    assert {one.loop for one in records if isinstance(one, Verdict)} == {"epoll"}
    assert "rloop" not in {subject.loop for subject in records[0].subjects}


def test_two_builds_and_two_pythons_do_not_mix(tmp_path):
    one = verdicts.write_results(tmp_path / "a.jsonl", [verdicts.verdict()])
    python = verdicts.write_results(tmp_path / "b.jsonl", [verdicts.verdict()], python="3.14.0")
    build = Subject(loop="epoll", factory="epoll:new_event_loop", version="9")
    other = verdicts.write_results(tmp_path / "c.jsonl", [verdicts.verdict()], subjects=[build])
    for second, fault in ((python, "several Pythons"), (other, "two builds of epoll")):
        with pytest.raises(ValueError, match=fault):
            publish_verdicts.merged([store.read(one), store.read(second)])


def test_what_is_published_is_read_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish_verdicts, "RESULTS", tmp_path / "results")
    path = verdicts.write_results(tmp_path / "a.jsonl", verdicts.every_kind())
    monkeypatch.setattr(sys, "argv", ["publish_verdicts.py", str(path), "name"])
    assert publish_verdicts.main() == 0
    assert "name.jsonl.xz" in capsys.readouterr().out
    assert len(store.read(tmp_path / "results" / "name.jsonl.xz").verdicts) == len(verdicts.KINDS)


def test_a_run_is_published_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish_run, "RESULTS", tmp_path / "results")
    path = write_run(tmp_path / "run.jsonl")
    monkeypatch.setattr(sys, "argv", ["publish_run.py", str(path), "run"])
    publish_run.main()
    records = lzma.decompress((tmp_path / "results" / "run.jsonl.xz").read_bytes()).splitlines()
    assert json.loads(records[-1])["record"] == "end"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(SystemExit):
        publish_run.main()
    assert "is not finished" in capsys.readouterr().err


def test_a_run_is_published_with_the_dependencies_of_today():
    old = {
        "scenario": "io.tcp_echo",
        "params": {"transport": "tls"},
        "rules": ["OLD-001"],
        "grain": 3,
    }
    other = {"scenario": "app:mine", "rules": ["OLD-002"]}
    header = {"record": "header", "benchmarks": [old, other], "seed": 8}
    published = publish_run.judged_as_today(header)
    [echo, mine] = published["benchmarks"]
    assert "PROT-004" in echo["rules"]
    assert "OLD-001" not in echo["rules"]
    assert {"*-tcp", "TRAN-001.other-types-*"} <= {*echo["irrelevant"]}
    assert echo["grain"] == 3
    assert mine == other
    assert published["seed"] == 8
    sample = {"record": "sample", "benchmark": "io.tcp_echo"}
    assert publish_run.judged_as_today(sample) is sample


def test_a_gate_is_published_file_by_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(publish_gate, "RESULTS", tmp_path / "results")
    gate = tmp_path / "gate"
    gate.mkdir()
    monkeypatch.setattr(sys, "argv", ["publish_gate.py", str(gate), "name"])
    with pytest.raises(SystemExit):
        publish_gate.main()
    assert "holds no gate.jsonl" in capsys.readouterr().err
    (gate / "gate.jsonl").write_text('{"record": "header", "path": "/tmp/a/b"}\n')
    publish_gate.main()
    packed = tmp_path / "results" / "name" / "gate.jsonl.xz"
    assert json.loads(lzma.decompress(packed.read_bytes())) == {"record": "header", "path": "b"}
