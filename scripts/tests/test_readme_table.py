"""README.md shows what its committed run file says."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "reports" / "tests"))

from report_testing.files import write_run  # noqa: E402

BARE = "# Title\n\n<!-- results:begin -->\n<!-- results:end -->\n\nAfter.\n"


def readme_table(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "scripts" / "readme_table.py"
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def project(tmp_path):
    """A root with a README and a packed run file."""
    plain = write_run(tmp_path / "reports" / "results" / "run.jsonl")
    plain.with_suffix(".jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (tmp_path / "README.md").write_text(BARE, encoding="utf-8")
    return tmp_path


def at(project: Path) -> list[str | Path]:
    return ["--root", project, "--readme", project / "README.md"]


@pytest.mark.parametrize("page", ["README.md", "docs/io-results.md", "docs/timer-results.md"])
def test_pages_of_the_project_are_current(page):
    done = readme_table("--check", "--readme", ROOT / page)
    assert done.returncode == 0, done.stderr


def test_fills_the_section_and_nothing_else_and_then_is_current(project):
    done = readme_table(*at(project), "--run", "reports/results/run.jsonl.gz")
    assert done.returncode == 0, done.stderr
    text = (project / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n<!-- results:begin -->\n")
    assert text.endswith("<!-- results:end -->\n\nAfter.\n")
    assert r"| throughput.sleep0 |" in text
    assert readme_table(*at(project), "--check").returncode == 0


def test_check_finds_an_edited_table(project):
    readme_table(*at(project), "--run", "reports/results/run.jsonl.gz")
    file = project / "README.md"
    file.write_text(file.read_text(encoding="utf-8").replace("epoll |", "uvloop |"), "utf-8")
    done = readme_table(*at(project), "--check")
    assert done.returncode == 1
    assert "run python scripts/readme_table.py" in done.stderr


@pytest.mark.parametrize("source", ["reports/results/gone.jsonl", "README.md"])
def test_names_a_run_file_that_cannot_be_read(project, source):
    done = readme_table(*at(project), "--run", source)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert (project / "README.md").read_text(encoding="utf-8") == BARE


def test_readme_without_a_section_is_an_error(project):
    (project / "README.md").write_text("# Title\n", encoding="utf-8")
    done = readme_table(*at(project), "--check")
    assert done.returncode == 2
    assert "results:begin" in done.stderr
