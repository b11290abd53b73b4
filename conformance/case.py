"""What a case is, and how it is declared: a function with a decorator.

    @case("SOON-001.three", expected="a, b, c: the order of the calls")
    def order_of_calls(t: Trial) -> None:
        '''Three callbacks are scheduled one after the other.'''
        t.loop.call_soon(t.event, "a")
        ...

The docstring says what is done, in words for somebody who has never seen the suite; `expected`
says what a conforming loop does. With `variants` the function is called once for each of them,
with the variant as second argument, and the ids end in "-variant".
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from loopgauge.conformance.catalogue import PROFILES, Profile, Rule, areas, rules

Resource = Literal["fds", "threads", "children", "tasks", "warnings", "unraisable", "logs"]

#: Longest a case may take before it counts as hung, in seconds; cases take milliseconds.
SECONDS = 10.0

Body = TypeVar("Body", bound=Callable[..., None])


@dataclass(frozen=True)
class Case:
    """One test of one rule.

    id: "RULE.slug"; since, until: the Pythons it is asked on, `until` included.
    leaves: resources it is allowed to leave behind, since it is about just these.
    alone: needs the machine for itself (it looks at CPU time or at short delays).
    seconds: when it counts as hung.
    """

    id: str
    rule: Rule
    description: str
    expected: str
    profile: Profile
    since: str
    until: str
    leaves: frozenset[Resource]
    alone: bool
    seconds: float
    body: Callable[..., None]
    variant: str = ""

    def run(self, trial: Any) -> None:
        """The body with a `Trial`; raises whatever the body raises."""
        if self.variant:
            self.body(trial, self.variant)
        else:
            self.body(trial)

    def binds(self, python: tuple[int, ...]) -> bool:
        """Whether a loop on this Python (major, minor, micro) is asked."""
        if python < _version(self.since):
            return False
        last = _version(self.until) if self.until else ()
        return not last or python[: len(last)] <= last


_declared: dict[str, Case] = {}
_programs: dict[str, Case] = {}

#: What a program of another lane is a case of: no rule. Never shown.
_NO_RULE = Rule(id="", level="SHOULD", since="3.11", text="", source="", rationale="")


def case(
    id: str,
    *,
    expected: str,
    variants: tuple[str, ...] = (),
    profile: Profile | None = None,
    since: str = "",
    until: str = "",
    leaves: tuple[Resource, ...] = (),
    alone: bool = False,
    seconds: float = SECONDS,
) -> Callable[[Body], Body]:
    """Declares a case; `profile` and `since` default to those of the area and of the rule.
    Raises ValueError for an unknown rule, a repeated id, or a body without a docstring."""

    def declare(body: Body) -> Body:
        rule_id, _, slug = id.partition(".")
        if rule_id not in rules() or not slug:
            raise ValueError(f"case {id!r}: no such rule, or no slug after it")
        rule = rules()[rule_id]
        assert profile is None or profile in PROFILES
        for variant in variants or ("",):
            _add(
                Case(
                    id=f"{id}-{variant}" if variant else id,
                    rule=rule,
                    description=_described(id, body),
                    expected=expected,
                    profile=profile or areas()[rule.area].profile,
                    since=since or rule.since,
                    until=until,
                    leaves=frozenset(leaves),
                    alone=alone,
                    seconds=seconds,
                    body=body,
                    variant=variant,
                )
            )
        return body

    return declare


def program(
    id: str,
    *,
    expected: str,
    variants: tuple[str, ...] = (),
    leaves: tuple[Resource, ...] = (),
    seconds: float = SECONDS,
) -> Callable[[Body], Body]:
    """Declares what another lane than our rules asks, as a case of no rule; `id` is
    "lane:name". It runs and is judged like a case."""

    def declare(body: Body) -> Body:
        for variant in variants or ("",):
            made = Case(
                id=f"{id}-{variant}" if variant else id,
                rule=_NO_RULE,
                description=_described(id, body),
                expected=expected,
                profile="Core",
                since="3.11",
                until="",
                leaves=frozenset(leaves),
                alone=False,
                seconds=seconds,
                body=body,
                variant=variant,
            )
            _programs[made.id] = made
        return body

    return declare


def programs_of(*modules: str) -> list[Case]:
    """The programs that these modules declare, in that order."""
    for module in modules:
        importlib.import_module(module)
    return [
        made for module in modules for made in _programs.values() if made.body.__module__ == module
    ]


def find(id: str, module: str) -> Case:
    """The case or program `id`, which `module` declares."""
    if id not in all_cases():
        importlib.import_module(module)
        return _programs[id]
    return all_cases()[id]


@cache
def all_cases() -> dict[str, Case]:
    """Every case by id, in the order of areas and rules. Imports all modules of `cases`."""
    from loopgauge.conformance import cases

    for module in sorted(found.name for found in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"{cases.__name__}.{module}")
    order = {rule: number for number, rule in enumerate(rules())}
    return dict(sorted(_declared.items(), key=lambda item: (order[item[1].rule.id], item[0])))


def _add(made: Case) -> None:
    if made.id in _declared and _declared[made.id].body.__code__ != made.body.__code__:
        raise ValueError(f"case {made.id!r} is declared twice")
    _declared[made.id] = made


def _described(id: str, body: Callable[..., None]) -> str:
    text = inspect.getdoc(body)
    if not text:
        raise ValueError(f"case {id!r} has no description")
    return text


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
