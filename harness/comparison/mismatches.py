"""In which circumstances two runs differ, and which of them make their figures incomparable."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from loopgauge.harness.comparison.model import Mismatch
from loopgauge.harness.model import Arm, Header, Interpreter
from loopgauge.harness.verdicts import OWN

Fields = Sequence[tuple[str, Callable[[Any], object], bool]]

# What each is called, how it is read, and whether a difference refuses the comparison. Those that
# do not are the run's own settings, or too weak a sign.
MACHINE: Fields = (
    ("machine", lambda m: m.hostname_hash, True),
    ("CPU", lambda m: m.cpu_model, True),
    ("number of CPUs", lambda m: m.cpus_logical, True),
    ("CPU limit", lambda m: m.cpu_limit, True),
    ("kernel", lambda m: m.kernel, True),
    ("hypervisor or container", lambda m: m.virtual, True),
    ("governor", lambda m: m.governor, True),
    ("turbo", lambda m: m.turbo, True),
    ("SMT", lambda m: m.smt, True),
    ("clock source", lambda m: m.clocksource, True),
    ("ASLR", lambda m: m.aslr, False),
    ("CPUs allowed", lambda m: ",".join(map(str, m.cpus_allowed)), False),
)
PYTHON: Fields = (
    ("implementation", lambda i: i.implementation, True),
    ("version", lambda i: i.version, True),
    ("build kind", lambda i: i.build_kind, True),
    ("build flags", lambda i: i.config_args, True),
    ("compiler", lambda i: i.compiler, True),
    ("libc", lambda i: i.libc, True),
)
SETTINGS: Fields = (
    ("pinned to CPUs", lambda h: ",".join(map(str, h.cpus or [])) or "none", False),
    ("setting", lambda h: h.setting, False),
    ("length of a slot", lambda h: f"{h.plan.slot_s * 1000:g} ms", False),
    ("garbage collector", lambda h: h.plan.gc, True),
)
UNLIMITED = ("CPU limit",)  # where nothing recorded means that there is none
# Where things lie, not what they do.
PLACES = re.compile("PYTHON|PYTHONPATH|PYTHONHOME|LOOPGAUGE_.*")


def between(base: Header, head: Header, arms: Collection[Arm]) -> list[Mismatch]:
    """Of two runs; `arms` are those of head that are compared. Another version of a loop is no
    mismatch but what a comparison is for."""
    found = [
        *_differing(MACHINE, base.environment.machine, head.environment.machine),
        *_interpreters(base, head),
        *_builds(base, head, arms),
        *_differing(SETTINGS, base, head),
        *_variables(base.environment.variables, head.environment.variables),
    ]
    return sorted(found, key=lambda one: not one.refuses)


def within(header: Header, base: Arm, head: Arm) -> list[Mismatch]:
    """Of two arms of one run: which Python is the better one may be the question, of builds of
    one kind."""
    interpreters = header.environment.interpreters
    if base.python == head.python:
        return []
    found = _differing(PYTHON, interpreters[base.python], interpreters[head.python], "Python ")
    for one in found:
        one.refuses = one.what == "Python build kind"
    return sorted(found, key=lambda one: not one.refuses)


def _differing(fields: Fields, base: Any, head: Any, prefix: str = "") -> list[Mismatch]:
    """What is recorded on one side only is no difference that anybody knows of."""
    values = [(what, read(base), read(head), refuses) for what, read, refuses in fields]
    return [
        Mismatch(what=prefix + what, base=str(before), head=str(after), refuses=refuses)
        for what, before, after, refuses in values
        if before != after and (what in UNLIMITED or (before and after))
    ]


def _interpreters(base: Header, head: Header) -> list[Mismatch]:
    """One of each is compared whatever its version; of several, those of one key."""
    before, after = base.environment.interpreters, head.environment.interpreters
    keys = (
        [(next(iter(before)), next(iter(after)))]
        if len(before) == len(after) == 1
        else [(key, key) for key in before if key in after]
    )
    several = len(keys) > 1
    return [
        found
        for one, other in keys
        for found in _differing(
            PYTHON, before[one], after[other], f"Python {one} " if several else "Python "
        )
    ]


def _builds(base: Header, head: Header, arms: Collection[Arm]) -> list[Mismatch]:
    """loopgauge drives the slots and brings the scenarios, so another build of it measures another
    thing; but where only loops of its own are compared, the build is what is compared."""
    before, after = ({_build(i) for i in h.environment.interpreters.values()} for h in (base, head))
    if before == after or "" in before | after:
        return []
    own = all(arm.distribution == OWN for arm in arms)
    return [
        Mismatch(
            what="build of loopgauge",
            base=", ".join(sorted(before)),
            head=", ".join(sorted(after)),
            refuses=not own,
        )
    ]


def _build(interpreter: Interpreter) -> str:
    return f"{interpreter.loopgauge} {interpreter.build_hash}".strip()


def _variables(base: dict[str, str], head: dict[str, str]) -> Iterator[Mismatch]:
    for name in sorted(base.keys() | head.keys()):
        before, after = base.get(name, "not set"), head.get(name, "not set")
        if before != after:
            places = PLACES.fullmatch(name) is not None
            yield Mismatch(what=f"${name}", base=before, head=after, refuses=not places)
