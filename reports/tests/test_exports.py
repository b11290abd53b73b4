from __future__ import annotations

import csv
from io import StringIO

import pytest
from report_testing import samples

from loopgauge.reports import csv_text, markdown, write_csv, write_images
from loopgauge.reports.exports.csv import values_text
from loopgauge.reports.exports.markdown import table

FIVE = ["epoll", "asyncio", "asyncio~aa", "uvloop", "uringcore"]


@pytest.fixture
def run():
    return samples.full_run(3, processes=7, arms=FIVE)


def test_csv_has_a_line_per_benchmark_and_arm_with_exact_figures(run):
    rows = list(csv.DictReader(StringIO(csv_text([run]))))
    assert len(rows) == 3 * len(FIVE)
    first, arm = rows[0], run.benchmarks[0].arms[0]
    assert first["arm"] == "epoll"
    assert float(first["cost"]) == pytest.approx(arm.cost, rel=1e-6)
    assert float(first["ratio_low"]) == pytest.approx(arm.ratio.low, rel=1e-6)
    assert len(first["values"].split()) == 7
    assert {row["role"] for row in rows} == {"candidate", "reference", "aa"}


def test_csv_leaves_missing_figures_empty(run):
    run.benchmarks[0].arms[0].ratio = samples.endless(0.3, 2)
    rows = list(csv.DictReader(StringIO(csv_text([run]))))
    assert (rows[0]["ratio"], rows[0]["ratio_high"]) == ("0.3", "")
    gone = next(row for row in rows if row["arm"] == "uringcore")
    assert (gone["status"], gone["cost"], gone["values"]) == ("unavailable", "", "")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\n", "\uff1d"])
def test_no_cell_of_a_csv_file_is_a_formula(run, begin):
    arm = run.benchmarks[0].arms[0]
    arm.arm = arm.loop = arm.version = arm.reason = run.benchmarks[0].id = f"{begin}1+1"
    for text in (csv_text([run]), values_text([run])):
        cells = [cell for row in csv.reader(StringIO(text)) for cell in row]
        assert f"'{begin}1+1" in cells
        assert not [cell for cell in cells if cell.startswith(begin)]


def test_a_carriage_return_begins_no_row_with_a_formula(run):
    run.benchmarks[0].arms[0].reason = "no such\r=1+1\r\n-2"
    reader = csv.DictReader(StringIO(csv_text([run]), newline=""))
    assert next(iter(reader))["reason"] == "no such\n=1+1\n-2"


def test_csv_file_is_the_text(run, tmp_path):
    assert write_csv([run], tmp_path / "out.csv").read_text(encoding="utf-8") == csv_text([run])


def test_markdown_table_has_equal_columns_and_marks_the_fastest(run):
    run.benchmarks[0].fastest = ["epoll", "uvloop"]
    lines = [line for line in table(run).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].count("**") == 4
    assert "unavailable" in lines[2]


def test_markdown_escapes_what_would_be_markup(run):
    run.benchmarks[0].id = "a|b <script> `x`"
    text = markdown([run])
    assert r"a\|b \<script\> \`x\`" in text


def test_markdown_tells_circumstances_and_command(run):
    text = markdown([run])
    assert "Example CPU" in text
    assert "`bench run throughput --loop all --seed 42`" in text
    assert run.self_check.split()[0] in text


def test_markdown_begins_with_the_families(run):
    text = markdown([run])
    assert "loop (loopgauge's own) is the fastest at scheduling:" in text
    lines = [line for line in text.splitlines() if line.startswith("|")][:4]
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| scheduling | **")
    assert lines[3].startswith("| MUST cases broken | 4 of 1760 | 6 of 1760 | not asked |")


def test_markdown_of_a_run_without_benchmarks_says_so():
    assert "no benchmark" in markdown([samples.run([])])


def test_images_are_written_in_both_formats(run, tmp_path):
    written = write_images([run], tmp_path)
    names = {path.name for path in written}
    assert {"families.svg", "families.png", "overview.svg", "overview.png"} <= names
    assert len(written) == 2 * (2 + 3 * 3)
    assert all(path.stat().st_size > 500 for path in written)


def test_images_of_a_run_with_nothing_valid_are_none(tmp_path):
    void = samples.benchmark(arms=[samples.failed("epoll", "hung", "")], aa=None)
    assert write_images([samples.run([void])], tmp_path) == []


def test_image_names_cannot_leave_the_folder(run, tmp_path):
    run.benchmarks[0].id = "../../etc/passwd"
    folder = tmp_path / "plots"
    assert all(path.parent == folder for path in write_images([run], folder, ["svg"]))


def test_unknown_image_format_is_refused(run, tmp_path):
    with pytest.raises(ValueError, match="gif"):
        write_images([run], tmp_path, ["gif"])
