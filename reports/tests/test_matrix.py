from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_testing import verdicts
from report_testing.pages import Page
from report_testing.verdicts import EVIL, KINDS

from loopgauge.conformance import catalogue
from loopgauge.conformance.difference import compare
from loopgauge.conformance.model import End, Subject
from loopgauge.reports.conformance.matrix import file_name, matrix_of
from loopgauge.reports.conformance.site import render_site
from loopgauge.reports.conformance.symbols import LOOKS


class Site:
    """A rendered folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def page(self, name: str) -> Page:
        return Page((self.folder / name).read_text(encoding="utf-8"))

    @property
    def pages(self) -> list[Path]:
        return sorted(self.folder.rglob("*.html"))


@pytest.fixture
def rendered(tmp_path):
    def make(*runs, scripts=lambda case, loop: "", **members):
        """Each run: a list of verdicts, or a dict of what `write_results` takes."""
        found = []
        for number, run in enumerate(runs):
            given = run if isinstance(run, dict) else {"verdicts": run}
            found.append(
                verdicts.results(
                    tmp_path / f"{number}.jsonl", **{"selection": ["SOON"], **given, **members}
                )
            )
        render_site(found, tmp_path / "site", scripts)
        return Site(tmp_path / "site")

    return make


def test_every_kind_has_its_own_symbol_and_a_meaning():
    assert set(LOOKS) == set(KINDS)
    assert len({look.symbol for look in LOOKS.values()}) == len(KINDS)
    assert len({look.css for look in LOOKS.values()}) == len(KINDS)


def test_the_matrix_shows_every_verdict_of_every_loop(rendered):
    site = rendered([verdicts.verdict("SOON-001.case", "asyncio"), *verdicts.every_kind()])
    index = site.page("index.html")
    cells = [a for a in index.all("td") if a.get("class", "").split(" ")[0] in
             {look.css for look in LOOKS.values()}]  # fmt: skip
    assert {a["class"].split(" ")[0] for a in cells} == {look.css for look in LOOKS.values()}
    for kind in KINDS:
        assert kind in index.text
    boxes = [a["value"] for a in index.all("input") if a.get("name") == "verdict"]
    assert sorted(boxes) == sorted(KINDS)


def test_a_page_for_every_case_and_rule_and_no_link_into_nothing(rendered):
    evil = verdicts.lane_verdict("cpython", "cpython:test_x[a/../b <i>]", "uvloop")
    site = rendered([*verdicts.every_kind(), evil], selection=[])
    assert len(list(site.folder.glob("case/*.html"))) == len(KINDS) + 1
    assert len(list(site.folder.glob("rule/*.html"))) == len(catalogue.rules())
    anchors = {page: set(Page(page.read_text()).values("id")) for page in site.pages}
    for page in site.pages:
        for address in Page(page.read_text()).values("href"):
            if address.startswith(("https://", "data:")):
                continue
            name, _, anchor = address.partition("#")
            target = (page.parent / name).resolve() if name else page.resolve()
            assert target.exists(), (page, address)
            assert target.is_relative_to(site.folder.resolve())
            if anchor and "=" not in anchor and anchor not in ("main",):
                assert anchor in anchors[target], (page, address)


def test_tags_are_closed_in_order_on_every_page(rendered):
    site = rendered(verdicts.every_kind())
    for path in site.pages:
        page = Page(path.read_text())
        assert (page.misplaced, page.open) == ([], []), path


def test_nothing_comes_from_a_network(rendered):
    site = rendered(verdicts.every_kind())
    for path in site.pages:
        page = Page(path.read_text())
        loaded = [a["src"] for tag in ("script", "img") for a in page.all(tag) if "src" in a]
        loaded += [a["href"] for a in page.all("link")]
        assert all(not re.match(r"\w+:|//", address) for address in loaded)


def test_evil_texts_stay_texts(rendered):
    found = verdicts.verdict(
        verdict="FAIL",
        reason=EVIL,
        description=EVIL,
        expected_behaviour=EVIL,
        expectation=EVIL,
        issue="javascript:alert(1)",
        evidence=verdicts.evidence(
            observations=[(EVIL, EVIL, EVIL)],
            events=[EVIL],
            output=EVIL,
            logs=[EVIL],
            notes={EVIL: EVIL},
        ),
    )
    other = verdicts.verdict(f"SOON-002.{EVIL}", evidence=verdicts.evidence())
    site = rendered([verdicts.verdict(loop="asyncio"), found, other])
    for path in site.pages:
        text = path.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "javascript:" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028]", text)
    assert "<script>alert(1)</script>" in site.page("case/SOON-001.three.html").text
    assert r"\x1b[31m\x00" in site.page("case/SOON-001.three.html").text


def test_a_case_page_has_wanted_observed_and_stock_side_by_side(rendered):
    stock = verdicts.verdict(
        loop="asyncio",
        evidence=verdicts.evidence(
            observations=[("the order", "abc", "from stock")], events=["a", "b", "c"]
        ),
    )
    wrong = verdicts.verdict(
        verdict="FAIL",
        reason="the order: wanted abc, observed acb",
        evidence=verdicts.evidence(
            observations=[("the order", "abc", "acb")], events=["a", "c", "b"]
        ),
    )
    site = rendered([stock, wrong])
    page = site.page("case/SOON-001.three.html")
    assert "the order abc acb from stock" in page.text
    assert "off" in [a.get("class") for a in page.all("tr")]
    marks = [a["class"] for a in page.all("li")]
    assert sorted(marks[:4]) == ["extra", "missing", "same", "same"]
    assert "bench repro SOON-001.three --loop epoll" in page.text
    assert "Three callbacks are scheduled" in page.text
    assert "a, b, c: the order of the calls" in page.text


def test_loops_with_the_same_answer_share_one_account_of_it(rendered):
    def answer(loop, address):
        return verdicts.verdict(
            loop=loop,
            evidence=verdicts.Evidence(observations=[("it is", "x", f"<x at {address}>")]),
        )

    site = rendered(
        [answer("asyncio", "0x7f1"), answer("epoll", "0x7f2"), answer("uvloop", "none")]
    )
    page = site.page("case/SOON-001.three.html")
    assert len(page.all("section")) == 2
    assert "asyncio 1.2.3 on 3.13 ; epoll 1.2.3 on 3.13" in page.text


def test_a_script_only_where_something_is_wrong(rendered):
    asked = []

    def scripts(case, loop):
        asked.append((case, loop))
        return "print('é')\n"

    bad = verdicts.verdict("SOON-002.bad", "uvloop", verdict="HANG")
    site = rendered([verdicts.verdict("SOON-002.bad", "asyncio"), bad, verdicts.verdict()],
                    scripts=scripts)  # fmt: skip
    assert asked == [("SOON-002.bad", "uvloop")]
    assert (site.folder / "script/SOON-002.bad.py").read_text("utf-8") == "print('é')\n"
    assert "../script/SOON-002.bad.py" in site.page("case/SOON-002.bad.html").values("href")


def test_several_pythons_stand_beside_each_other_in_order(tmp_path):
    found = [
        verdicts.results(
            tmp_path / f"{python}.jsonl",
            [verdicts.verdict(loop=loop, python=python) for loop in ("asyncio", "epoll")],
            python=python,
        )
        for python in ("3.14.8", "3.9.1", "3.11.7")
    ]
    columns = [(c.loop, c.short_python) for c in matrix_of(found).columns]
    assert columns == [
        (loop, python) for loop in ("asyncio", "epoll") for python in ("3.9", "3.11", "3.14")
    ]


def test_a_loop_on_several_pythons_has_one_row_of_profiles(rendered):
    old = {"verdicts": [verdicts.verdict(verdict="FAIL", python="3.12.1")], "python": "3.12.1"}
    new = {"verdicts": [verdicts.verdict()], "python": "3.13.0"}
    text = rendered({**old, "selection": []}, {**new, "selection": []}).page("index.html").text
    assert "✗ fails 3.12: 1 ✓ conforms on 3.13" in text
    assert "Every Python by itself" in text


def test_a_later_file_of_the_same_loop_corrects_an_earlier_one(tmp_path):
    one = verdicts.results(tmp_path / "1.jsonl", [verdicts.verdict(verdict="FAIL")])
    two = verdicts.results(tmp_path / "2.jsonl", [verdicts.verdict()], selection=["SOON"])
    matrix = matrix_of([one, two])
    assert [row.kinds for row in matrix.cases] == [["PASS"]]
    core = next(s for s in matrix.columns[-1].profiles if s.profile == "Core")
    assert core.state == "conforms"


def test_what_differs_from_stock_is_marked(tmp_path):
    def row(stock, other):
        found = [verdicts.verdict(loop="asyncio", verdict=stock), verdicts.verdict(verdict=other)]
        (row,) = matrix_of([verdicts.results(tmp_path / "r.jsonl", found)]).cases
        return row.differs

    assert row("PASS", "FAIL")
    assert row("FAIL", "PASS")
    assert row("PASS", "NON_STRICT")
    assert not row("FAIL", "FAIL")
    assert not row("FAIL", "HARNESS")


def test_a_rule_without_cases_is_listed_openly_where_all_was_asked(rendered):
    untested = next(rule for rule in catalogue.rules().values())
    site = rendered([verdicts.verdict()], selection=[])
    assert untested.id in site.page("index.html").text
    assert "No case of this rule was asked." in site.page(f"rule/{untested.id}.html").text


def test_a_selection_shows_what_was_selected(rendered):
    site = rendered([verdicts.verdict()], selection=["SOON"])
    assert len(list(site.folder.glob("rule/*.html"))) == 1
    assert "only a part was asked" in site.page("index.html").text


def test_a_rule_that_this_version_does_not_know(rendered):
    site = rendered([verdicts.verdict("FUTU-001.x"), verdicts.verdict("SOON-999.y")])
    text = site.page("index.html").text
    assert "Rules this version does not know" in text
    assert site.page("case/FUTU-001.x.html").text


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"verdicts": []}, "No case was asked"),
        ({"verdicts": [verdicts.verdict()], "end": None}, "did not come to its end"),
        (
            {"verdicts": [verdicts.verdict()], "end": End(complete=False)},
            "did not come to its end",
        ),
        (
            {
                "verdicts": [verdicts.verdict()],
                "subjects": [
                    Subject(loop="rloop", factory="r:l", available=False, reason="not installed")
                ],
            },
            "was not asked on Python 3.13.0: not installed",
        ),
    ],
    ids=["empty", "killed", "interrupted", "unavailable"],
)
def test_what_is_missing_is_said(rendered, run, words):
    assert words in rendered(run).page("index.html").text


def test_a_cut_last_line_is_left_out(tmp_path):
    path = verdicts.write_results(
        tmp_path / "r.jsonl", [verdicts.verdict(), verdicts.verdict("SOON-002.x")], end=None
    )
    path.write_bytes(path.read_bytes()[:-30])
    matrix = matrix_of([verdicts.read(path)])
    assert [row.id for row in matrix.cases] == ["SOON-001.three"]


def test_file_names_are_safe_and_different():
    ids = ["a/b", "a?b", "../../x", "SOON-001.three", "x" * 500, "x" * 501, "cpython:a b"]
    names = [file_name(one) for one in ids]
    assert len(set(names)) == len(ids)
    assert names[3] == "SOON-001.three"
    assert all(re.fullmatch(r"[\w.-]{1,110}", name) for name in names)


def test_thousands_of_cases_stay_small(tmp_path):
    found = [
        verdicts.verdict(f"SOON-{rule:03}.case-{number}", loop)
        for loop in ("asyncio", "epoll", "uvloop", "rloop")
        for rule in range(1, 26)
        for number in range(20)
    ]
    result = verdicts.results(tmp_path / "r.jsonl", found)
    index = render_site([result], tmp_path / "site")
    assert index.stat().st_size < 1000 * 500
    sizes = [page.stat().st_size for page in (tmp_path / "site/case").iterdir()]
    assert max(sizes) < 8000


def difference_page(tmp_path, old, new, **members):
    before = verdicts.results(tmp_path / "old.jsonl", old, selection=["SOON"], **members)
    after = verdicts.results(tmp_path / "new.jsonl", new, selection=["SOON"])
    page = render_site([after], tmp_path / "site", difference=compare(before, after))
    assert page == tmp_path / "site" / "diff.html"
    return Site(tmp_path / "site").page("diff.html")


def test_what_changed_since_an_older_run(tmp_path):
    old = [verdicts.verdict(), verdicts.verdict("SOON-002.gone", reason=EVIL, verdict="FAIL")]
    new = [verdicts.verdict(verdict="HANG", reason=EVIL), verdicts.verdict("SOON-003.new")]
    page = difference_page(tmp_path, old, new, end=None)
    assert (page.misplaced, page.open) == ([], [])
    assert "1 regression before" in page.text
    assert "not finished" in page.text
    assert page.text.index("Regression") < page.text.index("Added") < page.text.index("Removed")
    assert "<script>alert(1)</script>" in page.text
    assert "case/SOON-001.three.html#epoll-3.13.0" in page.values("href")
    assert "<script>alert" not in page.html
    assert "diff.html" in Site(tmp_path / "site").page("index.html").values("href")


def test_nothing_changed(tmp_path):
    page = difference_page(tmp_path, [verdicts.verdict()], [verdicts.verdict()])
    assert "Nothing changed" in page.text
    assert "1 the same" in page.text
