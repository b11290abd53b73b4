"""`bench gate --plan`: what a gate finds on this machine, and what finding more costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from loopgauge.harness.cli.console import stdout_console
from loopgauge.harness.cli.output import print_json

if TYPE_CHECKING:
    from loopgauge.harness.gate.sensitivity import BenchmarkPlan, Cost, Plan


def show_plan(plan: Plan, as_json: bool) -> None:
    """JSON: {"schema": 1, "kind": "gate-plan", ...members of the plan}; shares, not percent."""
    if as_json:
        import msgspec

        print_json({"schema": 1, "kind": "gate-plan", **msgspec.structs.asdict(plan)})
        return
    console = stdout_console()
    console.print(title(plan), style="bold")
    console.print(benchmark_table(plan))
    for line in summary(plan):
        console.print(Text(line))


def title(plan: Plan) -> str:
    return (
        f"What a gate of {plan.minutes:g} minutes finds here "
        f"(up to {plan.most} processes per benchmark, {plan.fresh} fresh ones for what is flagged)"
    )


def benchmark_table(plan: Plan) -> Table:
    """Powers of other changes are in the JSON: one number a question is enough for eyes."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("benchmark", overflow="fold")
    for heading in (
        "margin",
        "spread",
        f"finds {change(plan.change)} in",
        f"smallest found in {share(plan.wanted_power)}",
        f"processes for {change(plan.change)}",
        "quiet passes",
    ):
        table.add_column(heading, justify="right")
    for found in plan.benchmarks:
        table.add_row(*row(found))
    return table


def row(found: BenchmarkPlan) -> tuple[str, ...]:
    return (
        found.benchmark,
        f"{found.margin:.2%}",
        f"{found.spread:.2%}",
        share(found.power),
        change(found.smallest) if found.smallest is not None else "nothing",
        str(found.processes) if found.processes is not None else "too noisy",
        share(found.equivalent),
    )


def summary(plan: Plan) -> list[str]:
    lines = [cost(found, plan) for found in plan.costs]
    noisy = [found.benchmark for found in plan.benchmarks if found.processes is None]
    if noisy:
        lines.append(
            f"no number of minutes finds {change(plan.change)} in {share(plan.wanted_power)} of "
            f"the cases in: {', '.join(noisy)}. `bench doctor` says what makes this machine noisy"
        )
    lines += [f"left out: {line}" for line in plan.left_out]
    lines.append(
        f"{plan.simulated} simulated gates, seed {plan.seed}, in which all benchmarks change "
        "together; spread: of one process, and taken as unsure as so short a trial leaves it; "
        "quiet passes: a head without change is EQUIVALENT"
    )
    return lines


def cost(found: Cost, plan: Plan) -> str:
    hardest = f", {share(found.worst)} where it is hardest" if len(plan.benchmarks) > 1 else ""
    return (
        f"{found.minutes:g} minutes at most: {change(plan.change)} is found in "
        f"{share(found.found)} of the cases{hardest}; it takes "
        f"{found.unchanged_minutes:.1f} minutes where nothing changed, "
        f"{found.changed_minutes:.1f} where everything did"
    )


def change(share_of_cost: float) -> str:
    """ "+2%", "+1.6%": as many digits as tell something."""
    return f"+{share_of_cost * 100:.2g}%" if share_of_cost < 0.1 else f"+{share_of_cost:.0%}"


def share(value: float) -> str:
    """Never 100 %: as many gates were simulated as were simulated."""
    return ">99%" if value > 0.99 else f"{value:.0%}"
