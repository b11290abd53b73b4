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
from loopgauge.harness.summary import ArmPromises, BrokenCase, RunSummary
from loopgauge.reports.conformance.answers import VOLATILE
from loopgauge.reports.conformance.matrix import file_name
from loopgauge.reports.links import Links
from loopgauge.reports.run.detail import anchors


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
class CaseView:
    id: str
    anchor: str
    page: str  # of its own, in a site
    description: str
    accounts: list[Account]
    command: str  # that shows it again, on the first loop that fails


@dataclass(frozen=True)
class Dependant:
    """A benchmark that depends on a rule, and for which loops that is why it has no result."""

    id: str
    anchor: str
    void: list[str]


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
        """By loop, how many of the dependants have no result because of it."""
        return dict(Counter(arm for one in self.dependants for arm in one.void))


@dataclass(frozen=True)
class Other:
    """A broken rule on which no benchmark of the run depends: there may be hundreds, so that they
    are counted only. `broken`: MUST cases, by arm."""

    id: str
    page: str
    rule: Rule | None
    broken: dict[str, int]


@dataclass(frozen=True)
class Promises:
    """`broken` and `kept`: the rules on which benchmarks depend, told apart by whether a loop of
    the run breaks them. `void`: by arm, in how many benchmarks that is why it has no result."""

    arms: list[ArmPromises]
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
    return Promises(
        arms=run.promises,
        void=_void(run),
        broken=[view for view in views if view.cases],
        kept=[view for view in views if not view.cases],
        others=[_other(name, links, cases) for name, cases in sorted(found.items())],
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
            void = [
                arm.arm
                for arm in benchmark.arms
                if any(case.partition(".")[0] == rule for case in arm.broken)
            ]
            found.setdefault(rule, []).append(Dependant(benchmark.id, anchor, void))
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
        cases=[
            CaseView(
                id=case,
                anchor=f"{prefix}case-{file_name(case)}",
                page=links.case(case),
                description=seen[0][1].description,
                accounts=_accounts(seen),
                command=shlex.join(
                    ["bench", "repro", case, "--loop", seen[0][0].partition("@")[0]]
                ),
            )
            for case, seen in sorted(cases.items())
        ],
        broken=_count(cases),
    )


def _accounts(seen: Sequence[tuple[str, BrokenCase]]) -> list[Account]:
    """Loops that did the same are told of once; numbers and addresses differ from run to run."""
    found: dict[tuple[str, str], Account] = {}
    for arm, case in seen:
        likeness = (case.verdict, VOLATILE.sub("#", "\n".join([case.reason, *case.lines])))
        if likeness in found:
            found[likeness].loops.append(arm)
            continue
        found[likeness] = Account([arm], case)
    return [*found.values()]


def _other(name: str, links: Links, cases: dict[str, list[tuple[str, BrokenCase]]]) -> Other:
    return Other(name, links.rule(name), rules().get(name), _count(cases))


def _count(cases: dict[str, list[tuple[str, BrokenCase]]]) -> dict[str, int]:
    return dict(Counter(arm for seen in cases.values() for arm, _ in seen))
