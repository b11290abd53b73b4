"""Which promises of asyncio the loops of a run break, and which benchmarks depend on them.

The part of the page that an INVALID leads to: the rule, the case, what was wanted and observed, and
how to see it again. In a site the case and the rule have pages of their own, which say more.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loopgauge.conformance.catalogue import Rule, rules
from loopgauge.harness.summary import ArmPromises, ArmSummary, BrokenCase, RunSummary
from loopgauge.reports.conformance.answers import VOLATILE
from loopgauge.reports.conformance.matrix import file_name
from loopgauge.reports.links import Links
from loopgauge.reports.run.detail import anchors, ids

LEFT_BEHIND = "LEAK"  # a right answer, and less telling than any wrong one


@dataclass(frozen=True)
class Account:
    """What some loops did in the same way; the `example` is that of the first."""

    loops: list[str]  # labels of arms
    example: BrokenCase

    @property
    def seen(self) -> list[str]:
        """Wanted and observed, or what was left behind; else all that is known, the reason."""
        return self.example.lines or [self.example.reason]


@dataclass(frozen=True)
class Dependant:
    """A benchmark that depends on a rule, and which loops are INVALID there because of it."""

    id: str
    anchor: str
    void: list[str]
    cases: set[str]  # because of which they are


@dataclass(frozen=True)
class CaseView:
    id: str
    anchor: str
    page: str  # of its own, in a site
    description: str
    void: list[Dependant]  # benchmarks in which a loop is INVALID because of it
    accounts: list[Account]  # what was left behind comes last
    command: str  # that shows it again, on the first loop that fails


@dataclass(frozen=True)
class RuleView:
    """`rule` is None where the run was made by a version that had other rules."""

    id: str
    anchor: str
    page: str
    rule: Rule | None
    dependants: list[Dependant]
    cases: list[CaseView]
    broken: dict[str, int]  # cases, by loop

    @property
    def void(self) -> dict[str, int]:
        """By loop, in how many of the dependants it is INVALID because of it."""
        return dict(Counter(arm for one in self.dependants for arm in one.void))


@dataclass(frozen=True)
class Other:
    """A broken rule on which no benchmark of the run depends: there may be hundreds, so that they
    are counted only. `broken`: MUST cases, by arm."""

    id: str
    anchor: str
    page: str
    rule: Rule | None
    broken: dict[str, int]


@dataclass(frozen=True)
class Breach:
    """A rule in the list of one loop, which leads to what is said of it."""

    rule: str
    address: str
    cases: int  # of it that the loop fails, all MUST


@dataclass(frozen=True)
class Promises:
    """`broken` and `kept`: the rules on which benchmarks depend, told apart by whether a loop of
    the run breaks them. `void`: by arm, in how many benchmarks that is why it is INVALID."""

    arms: list[ArmPromises]
    places: dict[str, str]  # by arm, the id of the list of what it breaks
    breaches: dict[str, list[Breach]]  # by arm, in the order of rules
    void: dict[str, int]
    broken: list[RuleView]
    kept: list[RuleView]
    others: list[Other]
    addresses: dict[str, str]  # of rules on which benchmarks depend, and of their broken cases

    @property
    def known(self) -> list[ArmPromises]:
        return [arm for arm in self.arms if arm.known]

    @property
    def breaking(self) -> list[str]:
        return [arm.arm for arm in self.arms if arm.broken]

    @staticmethod
    def first_cases(arm: ArmSummary) -> list[tuple[str, str]]:
        """The rules because of which it is INVALID, each with its first case."""
        found: dict[str, str] = {}
        for case in arm.broken:
            found.setdefault(case.partition(".")[0], case)
        return [*found.items()]

    def address(self, name: str) -> str:
        """Where a rule or a broken case is explained; "" for one that is not on the page."""
        return self.addresses.get(name, "")


def promises(run: RunSummary, key: str, links: Links) -> Promises:
    """`key` starts every id, but those of the page's first run: they are what others link to."""
    prefix = "" if key == "r1" else f"{key}-"
    dependants = _dependants(run, key)
    found = _broken(run)
    views = [
        _rule(name, prefix, links, dependants[name], found.pop(name, {}))
        for name in sorted(dependants)
    ]
    others = [_other(name, prefix, links, cases) for name, cases in sorted(found.items())]
    labels = [arm.arm for arm in run.promises]
    return Promises(
        arms=run.promises,
        places=dict(zip(labels, ids(f"{key}-promises", labels), strict=True)),
        breaches={label: _breaches(label, [*views, *others]) for label in labels},
        void=_void(run),
        broken=[view for view in views if view.cases],
        kept=[view for view in views if not view.cases],
        others=others,
        addresses={
            **{view.id: view.page or f"#{view.anchor}" for view in views},
            **{case.id: case.page or f"#{case.anchor}" for view in views for case in view.cases},
        },
    )


def _dependants(run: RunSummary, key: str) -> dict[str, list[Dependant]]:
    """By rule, in the order of the run."""
    found: dict[str, list[Dependant]] = {}
    for benchmark, anchor in zip(run.benchmarks, anchors(run, key), strict=True):
        for rule in benchmark.rules:
            cases = {
                arm.arm: [case for case in arm.broken if case.partition(".")[0] == rule]
                for arm in benchmark.arms
            }
            void = [arm for arm, own in cases.items() if own]
            these = {case for own in cases.values() for case in own}
            found.setdefault(rule, []).append(Dependant(benchmark.id, anchor, void, these))
    return found


def _void(run: RunSummary) -> dict[str, int]:
    return {
        arm.arm: sum(
            bool(row.broken)
            for benchmark in run.benchmarks
            for row in benchmark.arms
            if row.arm == arm.arm
        )
        for arm in run.promises
    }


_Broken = dict[str, dict[str, list[tuple[str, BrokenCase]]]]


def _broken(run: RunSummary) -> _Broken:
    """By rule and case: who breaks it, and how."""
    found: _Broken = {}
    for arm in run.promises:
        for case in arm.broken:
            found.setdefault(case.rule, {}).setdefault(case.case, []).append((arm.arm, case))
    return found


def _rule(
    name: str,
    prefix: str,
    links: Links,
    dependants: list[Dependant],
    cases: dict[str, list[tuple[str, BrokenCase]]],
) -> RuleView:
    return RuleView(
        id=name,
        anchor=f"{prefix}rule-{file_name(name)}",
        page=links.rule(name),
        rule=rules().get(name),
        dependants=dependants,
        cases=sorted(
            (_case(case, prefix, links, dependants, seen) for case, seen in cases.items()),
            key=_weight,
        ),
        broken=_count(cases),
    )


def _case(
    name: str,
    prefix: str,
    links: Links,
    dependants: list[Dependant],
    seen: list[tuple[str, BrokenCase]],
) -> CaseView:
    accounts = _accounts(seen)
    return CaseView(
        id=name,
        anchor=f"{prefix}case-{file_name(name)}",
        page=links.case(name),
        description=seen[0][1].description,
        void=[one for one in dependants if name in one.cases],
        accounts=accounts,
        command=shlex.join(
            ["bench", "repro", name, "--loop", accounts[0].loops[0].partition("@")[0]]
        ),
    )


def _weight(case: CaseView) -> tuple[bool, bool, str]:
    """What makes a loop INVALID comes first, then wrong answers, then what was left behind."""
    return (not case.void, case.accounts[0].example.verdict == LEFT_BEHIND, case.id)


def _accounts(seen: Sequence[tuple[str, BrokenCase]]) -> list[Account]:
    """Loops that did the same are told of once; numbers and addresses differ from run to run."""
    found: dict[tuple[str, str], Account] = {}
    for arm, case in seen:
        likeness = (case.verdict, VOLATILE.sub("#", "\n".join([case.reason, *case.lines])))
        if likeness in found:
            found[likeness].loops.append(arm)
            continue
        found[likeness] = Account([arm], case)
    return sorted(found.values(), key=lambda one: one.example.verdict == LEFT_BEHIND)


def _other(
    name: str, prefix: str, links: Links, cases: dict[str, list[tuple[str, BrokenCase]]]
) -> Other:
    anchor = f"{prefix}rule-{file_name(name)}"
    return Other(name, anchor, links.rule(name), rules().get(name), _count(cases))


def _breaches(arm: str, found: Sequence[RuleView | Other]) -> list[Breach]:
    broken = sorted((rule for rule in found if arm in rule.broken), key=lambda rule: rule.id)
    return [Breach(rule.id, rule.page or f"#{rule.anchor}", rule.broken[arm]) for rule in broken]


def _count(cases: dict[str, list[tuple[str, BrokenCase]]]) -> dict[str, int]:
    return dict(Counter(arm for seen in cases.values() for arm, _ in seen))
