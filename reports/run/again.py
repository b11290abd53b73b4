"""The command that measures one benchmark of a run again, alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from loopgauge.harness.model import Header, Tier
from loopgauge.harness.summary import BenchmarkSummary

APPLICATION = "app:"
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# Where this program lies, which is another place elsewhere, and what changes no figure.
OWN = ("LOOPGAUGE_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


def again(header: Header, benchmark: BenchmarkSummary) -> str:
    """As a line for a shell, with what was set in the environment for the loops, and with those
    that could be loaded; "" for figures of another tool, and for tests of pytest, which only their
    own command can measure."""
    if not header.resumable:
        return ""
    set_then = header.environment.variables
    words = _assigned({name: set_then[name] for name in set_then if not name.startswith(OWN)})
    words += ["bench", "run", shlex.quote(name_of(benchmark))]
    asked = [arm for arm in header.arms if arm.role == "candidate"]
    loaded = [arm for arm in asked if arm.available] or asked
    for loop in dict.fromkeys(arm.loop for arm in loaded):
        words += ["--loop", shlex.quote(loop)]
    if header.tiers != ["python"]:
        for tier in header.tiers:
            words += ["--tier", tier] if _takes_part(tier, benchmark) else []
    pythons = [*dict.fromkeys(arm.python for arm in header.arms if arm.python)]
    if len(pythons) > 1:
        for python in pythons:
            words += ["--python", shlex.quote(python)]
    if header.cpus:
        words += ["--cpus", ",".join(map(str, header.cpus))]
    return " ".join([*words, f"--{header.setting}", "--seed", str(header.seed)])


def _assigned(variables: Mapping[str, str]) -> list[str]:
    """For the start of a line. What no shell takes for a name goes through `env`."""
    if all(NAME.fullmatch(name) for name in variables):
        return [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return ["env", *(shlex.quote(f"{name}={value}") for name, value in variables.items())]


def name_of(benchmark: BenchmarkSummary) -> str:
    """Its id. Without parameters that would mean all variants of the scenario, so that one is
    written out where the run has recorded what it is by default."""
    if benchmark.scenario.startswith(APPLICATION):
        return benchmark.scenario.removeprefix(APPLICATION)
    if "[" in benchmark.id or not benchmark.values:
        return benchmark.id
    name, value = next(iter(benchmark.values.items()))
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{benchmark.scenario}[{name}={written}]"


def _takes_part(tier: Tier, benchmark: BenchmarkSummary) -> bool:
    return tier != "native" or bool(benchmark.natives)
