"""The pages of a site: what stands where, and that nothing of another machine gets in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from report_testing import files, gates, verdicts
from report_testing.pages import Page

from loopgauge.conformance.store import Results
from loopgauge.harness.cli.site_pages import Shared, Task, make_report
from loopgauge.harness.verdicts import NO_VERDICTS
from loopgauge.reports import wording
from loopgauge.reports.links import NO_LINKS
from loopgauge.reports.site.contents import Contents, SiteGate, SiteRun
from loopgauge.reports.site.overview import sections
from loopgauge.reports.site.site import render
from loopgauge.reports.site.trends import trends

EVIL = "<script>alert(1)</script>&\"'"


class Builder:
    """Run files with invented times, changed as a test wants them, and the site of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "site"
        self.runs: list[SiteRun] = []
        self.title = "Loops"

    def run(self, name: str, path: Path | None = None, **changes: Any) -> SiteRun:
        """`changes`: of the header, by dotted names; `processes` and `benchmarks` of the run, if
        it has no file yet."""
        told = {key: changes.pop(key) for key in ("processes", "benchmarks") if key in changes}
        path = path or files.write_run(self.folder / f"{name}.jsonl", **told)
        header, *rest = path.read_bytes().splitlines(keepends=True)
        document = json.loads(header)
        for dotted, value in changes.items():
            *parents, last = dotted.split("__")
            place = document
            for parent in parents:
                place = place[parent]
            place[last] = value
        path.write_bytes(msgspec.json.encode(document) + b"\n" + b"".join(rest))
        shared = Shared(self.out, self.title, NO_VERDICTS, NO_LINKS)
        made = make_report(Task(path, name), shared)
        assert made.run is not None, made.problem
        self.runs.append(made.run)
        return made.run

    def render(self, results: list[Results] | None = None, **more: Any) -> None:
        render(Contents(self.title, self.runs, results or [], **more), self.out)

    def page(self, name: str) -> Page:
        return Page((self.out / name).read_text(encoding="utf-8"))


@pytest.fixture
def build(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


CPU = "environment__machine__cpu_model"
OTHER = "Another CPU"


def test_the_first_page_says_which_loop_for_what(build: Builder) -> None:
    build.run("one", benchmarks=("throughput.sleep0", "throughput.gather", "timer.wait", "timer.b"))
    build.render()
    text = build.page("index.html").text
    names = wording.listed([wording.family("throughput"), wording.family("timer")])
    assert f"loop (loopgauge's own) is the fastest at {names}." in text
    assert "5.0\N{MULTIPLICATION SIGN} as fast" in text
    assert "not asked" in text


def test_machines_are_never_mixed(build: Builder) -> None:
    build.run("here")
    build.run("there", **{CPU: OTHER})
    found = sections(Contents("", build.runs))
    assert {section.machine.cpu_model for section in found} == {"Example CPU @ 2.50GHz", OTHER}
    for section in found:
        names = {cell.run.name for row in section.rows for cell in row.cells.values()}
        assert len(names) == 1
    build.render()
    assert OTHER in build.page("index.html").text
    assert "there is no trend" in build.page("trends.html").text


def test_more_benchmarks_beat_a_newer_run(build: Builder) -> None:
    build.run("whole", benchmarks=("throughput.sleep0", "throughput.gather"))
    build.run("look", created="2026-12-24T00:00:00Z")
    (section,) = sections(Contents("", build.runs))
    assert [run.name for run in section.columns.values()] == ["whole"]


def test_another_version_is_shown_and_not_ranked(build: Builder) -> None:
    build.run("new")
    older = build.run("old", created="2026-01-01T00:00:00Z")
    for point in older.points:
        if point.loop == "uvloop":
            point.version = "0.1"
    (section,) = sections(Contents("", build.runs))
    (row,) = [row for row in section.rows if row.version == "0.1"]
    (cell,) = row.cells.values()
    assert (cell.elsewhere, cell.leads) == (True, False)
    assert "not compared" in cell.about


def test_versions_stand_in_the_order_of_their_numbers(build: Builder) -> None:
    for number, version in enumerate(("0.10.0", "0.9.1", "0.9.1.post1")):
        run = build.run(f"run{number}", created=f"2026-01-0{number + 1}T00:00:00Z")
        for point in run.points:
            if point.loop == "uvloop":
                point.version = version
    build.run("new")
    (section,) = sections(Contents("", build.runs))
    found = [
        row.version for row in section.rows if row.loop == "uvloop" and row.version[:2] == "0."
    ]
    assert [one for one in found if one != "0.23.0"] == ["0.9.1", "0.9.1.post1", "0.10.0"]


def test_trends_of_what_was_measured_twice(build: Builder) -> None:
    both = ("throughput.sleep0", "throughput.gather")
    build.run("a", benchmarks=both)
    build.run("b", benchmarks=both, created="2026-11-22T15:30:00Z")
    build.run("c", benchmarks=("throughput.sleep0",), created="2026-11-23T15:30:00Z")
    build.render()
    trends = build.page("trends.html")
    assert "uvloop: 2026-11-21 0.50, 2026-11-22 0.50" in trends.text
    assert "2026-11-23" not in trends.text  # another set of benchmarks is another line
    (page,) = [path.name for path in (build.out / "trends").iterdir()]
    own = build.page(f"trends/{page}").text
    assert "throughput.sleep0" in own
    assert "2026-11-23" in own  # the same benchmark


def test_a_page_per_loop(build: Builder) -> None:
    build.run("one")
    found = [
        verdicts.verdict("SOON-001.three", "asyncio"),
        verdicts.verdict("SOON-001.three", "uvloop", verdict="FAIL", reason="c came before b"),
    ]
    build.render([verdicts.results(build.folder / "asked.jsonl", found, selection=["SOON"])])
    text = build.page("loops/uvloop.html").text
    assert "2.0\N{MULTIPLICATION SIGN} as fast" in text
    assert "SOON-001 three FAIL 3.13 c came before b" in text
    assert "1 of 1 fail" in text
    assert "No conformance result of this loop" in build.page("loops/epoll.html").text


def test_the_search_box_carries_what_it_finds(build: Builder) -> None:
    build.run("one")
    found = [verdicts.verdict("SOON-001.three", "epoll")]
    build.render([verdicts.results(build.folder / "asked.jsonl", found, selection=["SOON"])])
    text = (build.out / "index.html").read_text(encoding="utf-8")
    data = text.partition('id="search-data">')[2].partition("</script>")[0]
    entries = json.loads(data)
    assert ["loop", "epoll", "", "loops/epoll.html"] in entries
    kinds = {kind for kind, *_ in entries}
    assert kinds == {"loop", "benchmark", "rule"}
    for _, _, _, address in entries:
        assert (build.out / address.partition("#")[0]).is_file(), address


def test_gates_are_listed(build: Builder) -> None:
    build.run("one")
    found = gates.gate(gates.decision("REGRESSED"), gates.decision(), exit_code=1)
    build.render(gates=[SiteGate("g1", found), SiteGate("g2", found, finished=False)])
    text = build.page("index.html").text
    assert "1 REGRESSED, 1 EQUIVALENT" in text
    assert "did not come to its end" in text


def test_a_site_of_conformance_alone_and_of_nothing_valid(build: Builder) -> None:
    found = [verdicts.verdict("SOON-001.three", "epoll")]
    build.render([verdicts.results(build.folder / "asked.jsonl", found, selection=["SOON"])])
    text = build.page("index.html").text
    assert "no loop is compared here" in text
    assert "No run was given" in text


def test_every_page_is_sound(build: Builder) -> None:
    """Tags closed, ids unique, no link into nothing, names of a file never markup."""
    build.title = EVIL
    both = (f"timer.{EVIL}", "throughput.sleep0")
    for number in range(3):
        build.run(
            f"run{number}", benchmarks=both, created=f"2026-11-2{number}T00:00:00Z", **{CPU: EVIL}
        )
    found = [
        verdicts.verdict(f"SOON-001.{EVIL}", EVIL, verdict="FAIL", reason=EVIL),
        verdicts.verdict("SOON-001.three", "epoll"),
    ]
    build.render(
        [verdicts.results(build.folder / "asked.jsonl", found, selection=["SOON"])],
        gates=[SiteGate("g", gates.gate())],
        problems=[EVIL],
    )
    (build.out / "gates").mkdir()
    (build.out / "gates/g.html").touch()  # as `bench site` writes it
    others = ("conformance", "gates")  # tested by themselves
    pages = [path for path in build.out.rglob("*.html") if not {*others} & {*path.parts}]
    assert len(pages) >= 9
    ids = {path: Page(path.read_text("utf-8")).values("id") for path in build.out.rglob("*.html")}
    for path in pages:
        page = Page(path.read_text(encoding="utf-8"))
        assert (page.misplaced, page.open) == ([], []), path
        assert len(ids[path]) == len(set(ids[path])), path
        assert not [script for script in page.all("script") if "alert" in str(script)]
        assert "<script>alert" not in path.read_text(encoding="utf-8"), path
        for address in [*page.values("href"), *page.values("src")]:
            if address.startswith(("https://", "data:")):
                continue
            name, _, anchor = address.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path.resolve()
            assert target.is_file(), (path, address)
            assert target.is_relative_to(build.out.resolve())
            if anchor and target.suffix == ".html":
                assert anchor in ids[target], (path.name, address)


def test_a_run_of_waits_alone_has_no_chart_of_costs(build: Builder) -> None:
    """It may be the one that most columns are about."""
    build.run("costs")
    waits = build.run("waits", benchmarks=("timer.late", "signal.late"))
    waits.summary.waits, waits.summary.families = waits.summary.families, []
    for point in waits.points:
        point.family.kind = "wait"
    (section,) = sections(Contents("", build.runs))
    assert section.charted is not None
    assert section.charted.name == "costs"
    build.render()
    assert "From the run costs" in build.page("index.html").text


def of_build(run: SiteRun, build: str, *, failing: int) -> None:
    for point in run.points:
        if point.loop == "epoll":
            point.build = build
    for promises in run.summary.promises:
        if promises.arm == "epoll":
            promises.known, promises.must, promises.must_failing = True, 9, failing


def test_what_a_build_breaks_stands_beside_its_own_figures(build: Builder) -> None:
    """A loop of ours changes without its version: the newer build keeps what the older broke."""
    of_build(build.run("old", benchmarks=("throughput.a", "throughput.b")), "0ld", failing=4)
    of_build(build.run("new", created="2026-12-24T00:00:00Z"), "new", failing=0)
    (section,) = sections(Contents("", build.runs))
    told = {
        row.version: (row.promises and row.promises.must_failing, cell.run.name)
        for row in section.rows
        if row.loop == "epoll"
        for cell in row.cells.values()
    }
    assert told == {"0.23.0+0ld": (4, "old"), "0.23.0+new": (0, "new")}


def test_trends_of_other_benchmarks_have_pages_of_their_own(build: Builder) -> None:
    for day, asked in enumerate([("timer.a",), ("timer.a",), ("timer.a", "timer.b")] * 2, 10):
        build.run(f"on-{day}", benchmarks=asked, created=f"2026-11-{day}T00:00:00Z")
    found, _ = trends(Contents("", sorted(build.runs, key=lambda run: run.created)))
    assert [len(one.benchmarks) for one in found] == [1, 2]
    assert len({one.page for one in found}) == 2
    build.render()
    assert all((build.out / one.page).is_file() for one in found)


def test_the_tests_of_a_project_have_trends(build: Builder) -> None:
    name = "pytest:tests/bench/test_it.py::test_it"
    for day in (10, 11):
        build.run(f"on-{day}", benchmarks=(name,), created=f"2026-11-{day}T00:00:00Z")
    (found,), _ = trends(Contents("", build.runs))
    assert [one.name for one in found.benchmarks] == [name]


def test_a_run_on_two_pythons_tells_of_each_by_itself(build: Builder) -> None:
    """On the other one everything takes half as long: that makes no loop faster than stock."""
    path = files.write_run(build.folder / "two.jsonl")
    header, *records = [json.loads(line) for line in path.read_bytes().splitlines()]
    interpreters = header["environment"]["interpreters"]
    interpreters["3.9"] = interpreters["3.14"] | {"version": "3.9.1"}
    for arm in [arm for arm in header["arms"] if arm["role"] != "aa"]:
        header["arms"].append(
            arm | {"label": f"{arm['label']}@3.9", "python": "3.9", "role": "candidate"}
        )
    more = [
        one | {"arm": f"{one['arm']}@3.9", "process_ns": [ns // 2 for ns in one["process_ns"]]}
        for one in records
        if one.get("arm", "asyncio~aa") != "asyncio~aa"
    ]
    lines = [msgspec.json.encode(one) + b"\n" for one in [header, *more, *records]]
    path.write_bytes(b"".join(lines))
    build.run("two", path)
    found = sections(Contents("", build.runs))
    assert [section.machine.python for section in found] == ["3.9.1", "3.14.8"]
    for section in found:
        at = "@3.9" if section.machine.python == "3.9.1" else ""
        (told,) = section.told
        assert told.answer.fastest == [f"epoll{at}"]
        assert told.answer.figures[0][0] == "5.0\N{MULTIPLICATION SIGN} as fast"
        arms = {cell.point.figure.arm for row in section.rows for cell in row.cells.values()}
        assert arms == {f"{loop}{at}" for loop in ("asyncio", "epoll", "uvloop")}
    build.render()


def test_a_run_may_call_its_reference_by_the_name_of_the_loop(build: Builder) -> None:
    path = files.write_run(build.folder / "one.jsonl")
    text = path.read_bytes().replace(b'"label":"asyncio"', b'"label":"asyncio@3.14"')
    path.write_bytes(text.replace(b'"arm":"asyncio"', b'"arm":"asyncio@3.14"'))
    build.run("one", path)
    (section,) = sections(Contents("", build.runs))
    assert [told.answer.fastest for told in section.told] == [["epoll"]]


def test_another_yardstick_is_another_table(build: Builder) -> None:
    """Such as that of another tool's file, or base in the files of a gate."""
    build.run("one")
    path = files.write_run(build.folder / "two.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"loop":"asyncio"', b'"loop":"mine:loop"'))
    build.run("two", path)
    found = {section.against: section for section in sections(Contents("", build.runs))}
    assert set(found) == {"asyncio", "mine:loop"}
    assert found["mine:loop"].headline.endswith("as fast as mine:loop.")
    assert len({section.anchor for section in found.values()}) == 2
    build.render()
    text = build.page("index.html").text
    assert "Cost relative to mine:loop in the same run" in text
    assert "Cost relative to stock asyncio in the same run" in text
