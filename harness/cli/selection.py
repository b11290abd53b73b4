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
    from loopgauge.harness.model import Setting, Tier
    from loopgauge.scenarios.model import Scenario

Variant = tuple[str, Mapping[str, Any]]
Overrides = Mapping[str, Sequence[str]]
GLOB_CHARACTERS = set("*?[")
BENCHMARK_ID = re.compile(r"[\w.]+\[[^\[\]]*=[^\[\]]*\]")


def chosen_loops(names: Sequence[str], tiers: Sequence[Tier] = ("python",)) -> list[str]:
    """Unknown names raise UnknownLoop; no backend is imported. For the native tier alone only
    those that were named; stock asyncio takes part all the same, as the reference."""
    from loopgauge.loops.registry import default_loops, known_loops, resolve

    if not names:
        return [*default_loops()] if tiers != ["native"] else []
    chosen: list[str] = []
    for name in names:
        chosen.extend(known_loops() if name == "all" else [resolve(name).name])
    return [*dict.fromkeys(chosen)]


def chosen_benchmarks(
    patterns: Sequence[str],
    setting: Setting,
    overrides: Overrides,
    tiers: Sequence[Tier] = ("python",),
    *,
    elsewhere: bool = False,
) -> list[Variant]:
    """Applications as named, benchmark ids as written, scenarios in the variants of the setting
    with the user's parameters laid over them. For the native tier alone only those that have a
    native counterpart. `elsewhere`: applications are not looked for in this interpreter."""
    applications = [pattern for pattern in patterns if ":" in pattern]
    exact = [pattern for pattern in patterns if BENCHMARK_ID.fullmatch(pattern)]
    names = [p for p in patterns if p not in applications and p not in exact]
    for application in applications:
        require_module_name(application)
        if not elsewhere:
            require_importable(application)
    scenarios = select_scenarios(names) if names or not patterns else []
    require_known_parameters(overrides, scenarios)
    chosen: dict[str, Variant] = {name: (f"app:{name}", {}) for name in applications}
    for benchmark in exact:
        chosen[benchmark] = parse_exact(benchmark)
    for scenario in scenarios:
        chosen.update(variants(scenario, setting, overrides))
    if tiers != ["native"]:
        return [*chosen.values()]
    return require_some(variant for variant in chosen.values() if has_native(*variant))


def has_native(scenario: str, params: Mapping[str, Any]) -> bool:
    from loopgauge.scenarios.registry import all_scenarios

    made = all_scenarios().get(scenario)
    return made is not None and made(**params).has_native


def require_some(chosen: Iterator[Variant]) -> list[Variant]:
    from loopgauge.scenarios.registry import all_scenarios

    found = [*chosen]
    if not found:
        having = [name for name, made in all_scenarios().items() if made().has_native]
        raise Problem(
            ExitCode.NOTHING_MEASURED,
            "nothing of what was chosen has a native counterpart",
            f"These have: {', '.join(having)}",
        )
    return found


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


def require_module_name(application: str) -> None:
    module, _, attribute = application.partition(":")
    if not attribute.isidentifier() or not all(map(str.isidentifier, module.split("."))):
        raise Problem(
            ExitCode.USAGE,
            f"{application!r} names no coroutine function",
            "Write module:function, such as my_app:main",
        )


def require_importable(application: str) -> None:
    """A typing error should cost a line, not a probe of every loop. Only workers import it."""
    package = application.partition(":")[0].partition(".")[0]
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
