"""From the words of the command line to (scenario, parameters) pairs and loop names."""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loopgauge.harness.cli.errors import Problem, did_you_mean
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.harness.model import Setting
    from loopgauge.scenarios.model import Scenario

Variant = tuple[str, Mapping[str, Any]]
Overrides = Mapping[str, Sequence[str]]
GLOB_CHARACTERS = set("*?[")
BENCHMARK_ID = re.compile(r"[\w.]+\[[^\[\]]*=[^\[\]]*\]")


def chosen_loops(names: Sequence[str]) -> list[str]:
    """Unknown names raise UnknownLoop; no backend is imported."""
    from loopgauge.loops.registry import default_loops, known_loops, resolve

    if not names:
        return [*default_loops()]
    chosen: list[str] = []
    for name in names:
        chosen.extend(known_loops() if name == "all" else [resolve(name).name])
    return [*dict.fromkeys(chosen)]


def chosen_benchmarks(
    patterns: Sequence[str], setting: Setting, overrides: Overrides
) -> list[Variant]:
    """Applications as named, benchmark ids as written, scenarios in the variants of the setting
    with the user's parameters laid over them."""
    applications = [pattern for pattern in patterns if ":" in pattern]
    exact = [pattern for pattern in patterns if BENCHMARK_ID.fullmatch(pattern)]
    names = [p for p in patterns if p not in applications and p not in exact]
    for application in applications:
        require_importable(application)
    scenarios = select_scenarios(names) if names or not patterns else []
    require_known_parameters(overrides, scenarios)
    chosen: dict[str, Variant] = {name: (f"app:{name}", {}) for name in applications}
    for benchmark in exact:
        chosen[benchmark] = parse_exact(benchmark)
    for scenario in scenarios:
        chosen.update(variants(scenario, setting, overrides))
    return [*chosen.values()]


def select_scenarios(patterns: Sequence[str]) -> list[type[Scenario]]:
    from loopgauge.scenarios.registry import UnknownScenario, select

    try:
        return [*select(patterns)]
    except UnknownScenario as error:
        if GLOB_CHARACTERS & set(error.name):
            raise Problem(
                ExitCode.NOTHING_MEASURED,
                f"no scenario matches {error.name!r}, so there is nothing to measure",
                "`bench list scenarios` shows them all",
            ) from error
        raise


def require_importable(application: str) -> None:
    """A typing error should cost a line, not a probe of every loop. Only workers import it."""
    module, _, attribute = application.partition(":")
    if not attribute.isidentifier() or not all(map(str.isidentifier, module.split("."))):
        raise Problem(
            ExitCode.USAGE,
            f"{application!r} names no coroutine function",
            "Write module:function, such as my_app:main",
        )
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise Problem(
            ExitCode.USAGE,
            f"there is no module {package!r} in this directory or on the import path",
            "Run bench in the directory that holds it, or set PYTHONPATH",
        )


def require_known_parameters(overrides: Overrides, scenarios: Sequence[type[Scenario]]) -> None:
    known = {param.name for scenario in scenarios for param in scenario.params}
    for name in overrides:
        if name not in known:
            raise Problem(
                ExitCode.USAGE,
                f"no selected scenario has a parameter {name!r}",
                did_you_mean(name, known) or "`bench list scenarios` shows the parameters",
            )


def variants(
    scenario: type[Scenario], setting: Setting, overrides: Overrides
) -> Iterator[tuple[str, Variant]]:
    """By benchmark id, so that what is the same is measured once."""
    from loopgauge.scenarios.model import BadParam
    from loopgauge.scenarios.registry import benchmark_id

    own = [param.name for param in scenario.params if param.name in overrides]
    scans = [[(name, word) for word in overrides[name]] for name in own]
    for base in scenario.quick if setting == "quick" else scenario.full:
        for combination in itertools.product(*scans):
            try:
                made = scenario(**{**base, **dict(combination)})
            except BadParam as error:
                raise Problem(ExitCode.USAGE, f"{scenario.id}: {error}") from error
            given = {**base, **{name: made.values[name] for name in own}}
            yield benchmark_id(made), (scenario.id, given)


def parse_exact(benchmark: str) -> Variant:
    from loopgauge.scenarios.model import BadParam
    from loopgauge.scenarios.registry import parse_benchmark_id

    try:
        return parse_benchmark_id(benchmark)
    except BadParam as error:
        raise Problem(ExitCode.USAGE, f"{benchmark}: {error}") from error
