"""Expectation files: what is known, what is new, and what is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopgauge.conformance import expectations
from loopgauge.conformance.case import all_cases
from loopgauge.conformance.expectations import ExpectationError, Expectations
from loopgauge.conformance.model import Kind, Status, Verdict

TEXT = """\
# What is known.

[[expect]]
case = "SOCK-02*.tcp"
verdict = ["FAIL", "HANG"]
python = "<3.13"
version = "<0.22"
reason = "never wakes up"

[[expect]]
case = "SOON-001.three"
verdict = "FAIL"
reason = "comes and goes"
strict = false
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "loop.toml"
    made.write_text(TEXT)
    return made


@pytest.mark.parametrize(
    ("case", "verdict", "python", "version", "status"),
    [
        ("SOCK-021.tcp", "FAIL", "3.12.1", "0.21.0", "expected"),
        ("SOCK-021.tcp", "HANG", "3.12.1", "0.21.0", "expected"),
        ("SOCK-021.tcp", "CRASH", "3.12.1", "0.21.0", "unexpected"),
        ("SOCK-021.tcp", "PASS", "3.12.1", "0.21.0", "fixed"),
        ("SOCK-021.tcp", "NOT_APPLICABLE", "3.12.1", "0.21.0", "expected"),
        ("SOCK-021.tcp", "FAIL", "3.13.0", "0.21.0", "unexpected"),
        ("SOCK-021.tcp", "FAIL", "3.12.1", "0.22.0", "unexpected"),
        ("SOCK-021.tcp", "FAIL", "3.12.1", "", "expected"),
        ("SOCK-021.unix", "FAIL", "3.12.1", "0.21.0", "unexpected"),
        ("SOON-001.three", "PASS", "3.15.0rc1", "1", "expected"),
        ("SOON-002.once", "PASS", "3.12.1", "1", "expected"),
        ("SOON-002.once", "NON_STRICT", "3.12.1", "1", "expected"),
        ("SOON-002.once", "HARNESS", "3.12.1", "1", "unexpected"),
    ],
)
def test_judgement(
    path: Path, case: str, verdict: Kind, python: str, version: str, status: Status
) -> None:
    judged = expectations.read(path).judge(case, verdict, python, version)
    assert judged.status == status


@pytest.mark.parametrize(
    ("case", "tries", "status"),
    [
        ("SOON-001.three", {"FAIL", "PASS"}, "expected"),
        ("SOON-001.three", {"FAIL", "HANG", "PASS"}, "unexpected"),
        ("SOON-001.three", set(), "unexpected"),
        ("SOCK-021.tcp", {"FAIL", "HANG"}, "expected"),
        ("SOCK-021.tcp", {"FAIL", "PASS"}, "unexpected"),
        ("SOON-002.once", {"FAIL", "PASS"}, "unexpected"),
    ],
)
def test_repeats_that_differ(path: Path, case: str, tries: set[Kind], status: Status) -> None:
    judged = expectations.read(path).judge(case, "FLAKY", "3.12.1", "0.21.0", tries)
    assert judged.status == status


def test_no_file_knows_nothing(tmp_path: Path) -> None:
    assert expectations.read(tmp_path / "none.toml") == Expectations()


ENTRY = '[[expect]]\ncase = "X"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[expect]\n", "none.toml"),
        ("[[expect]]\nwhat = 1\n", "what"),
        ("expect = 3\n", r"\[\[expect\]\]"),
        ('[[expected]]\ncase = "X"\n', r"\[\[expect\]\]"),
        (ENTRY, "X: .*no verdict"),
        (ENTRY + 'verdict = "FIAL"\n', "X: .*FIAL"),
        (ENTRY + 'verdict = "FAIL"\npython = "banana"\n', "X: .*banana"),
        (ENTRY + 'verdict = "FAIL"\nstrict = "no"\n', "X: .*strict"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "none.toml").write_text(text)
    with pytest.raises(ExpectationError, match=message):
        expectations.read(tmp_path / "none.toml")


def verdict(case: str, kind: Kind, status: Status) -> Verdict:
    return Verdict(
        loop="x", rule="", case=case, level="", verdict=kind, status=status,
        reason="seen", factory="x:y", python="3.12.1",
    )  # fmt: skip


def test_update(path: Path) -> None:
    lines = expectations.update(
        path,
        [
            verdict("TIME-001.float", "FAIL", "unexpected"),
            verdict("SOON-001.three", "PASS", "fixed"),
            verdict("SOCK-021.tcp", "PASS", "fixed"),
            verdict("SOON-002.once", "PASS", "expected"),
        ],
    )
    assert [line.split(":")[0] for line in lines] == [
        "added TIME-001.float",
        "removed SOON-001.three",
        "SOCK-021.tcp is fixed, but its entry is about more",
    ]
    assert path.read_text().startswith("# What is known.")
    again = expectations.read(path)
    assert again.judge("TIME-001.float", "FAIL", "3.12.9", "").status == "expected"
    assert again.judge("TIME-001.float", "FAIL", "3.13.0", "").status == "unexpected"
    assert again.judge("SOON-001.three", "FAIL", "3.12.9", "").status == "unexpected"


def test_an_update_binds_before_the_entry_it_is_an_exception_of(path: Path) -> None:
    seen = [verdict("SOCK-021.tcp", "CRASH", "unexpected")]
    expectations.update(path, seen)
    again = expectations.read(path)
    assert again.judge("SOCK-021.tcp", "CRASH", "3.12.1", "").status == "expected"
    assert again.judge("SOCK-022.tcp", "HANG", "3.12.1", "").status == "expected"


def test_an_update_takes_the_place_of_what_it_corrects(path: Path) -> None:
    expectations.update(path, [verdict("SOON-001.three", "HANG", "unexpected")])
    (entry,) = (one for one in expectations.read(path).entries if one.case == "SOON-001.three")
    assert entry.verdict == {"HANG"}


@pytest.mark.parametrize("text", ["", "expect = []\n", "# nothing yet\n"])
def test_an_update_begins_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "new.toml"
    path.write_text(text)
    expectations.update(path, [verdict("TIME-001.float", "FAIL", "unexpected")])
    known = expectations.read(path)
    assert known.judge("TIME-001.float", "FAIL", "3.12.1", "").status == "expected"
    assert "nothing yet" not in text or path.read_text().startswith("# nothing yet")


def test_harness_is_no_fault_of_the_loop(path: Path) -> None:
    assert expectations.update(path, [verdict("TIME-001.float", "HARNESS", "unexpected")]) == []
    assert path.read_text() == TEXT


@pytest.mark.parametrize("path", sorted(expectations.FOLDER.glob("*.toml")), ids=lambda p: p.stem)
def test_every_entry_of_the_suite_is_about_something(path: Path) -> None:
    from fnmatch import fnmatchcase

    for entry in expectations.read(path).entries:
        assert entry.reason, entry.case
        if ":" not in entry.case:  # another lane's; its questions depend on the Python
            assert any(fnmatchcase(case, entry.case) for case in all_cases()), entry.case
