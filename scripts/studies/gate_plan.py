"""Whether `bench gate --plan` promises what gates then do.

    scripts/dev study gate_power --gates 5 --percent 2 --out FOLDER
    scripts/dev study gate_plan --percent 2 FOLDER/2.0-*

Reads gates whose slow-down is known, and measures nothing. Of each it takes the first processes, in
which base was measured against its own twin, as if they were the trial, makes a plan for the
minutes of the gate, and puts the predicted chance beside what the gate found.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

import numpy as np
from gates import keep

from loopgauge.harness.gate import judging, sensitivity, timing
from loopgauge.harness.gate.model import GateResult
from loopgauge.harness.gate.sensitivity import Plan
from loopgauge.harness.gate.store import GateFile, read_gate
from loopgauge.harness.store import RunFile, read_run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gates", type=Path, nargs="+", metavar="GATE")
    parser.add_argument("--percent", type=float, required=True, help="the slow-down that is there")
    parser.add_argument("--out", type=Path, default=Path("gate-plan.jsonl"))
    arguments = parser.parse_args()
    change = arguments.percent / 100
    predicted: list[float] = []
    found: list[bool] = []
    for folder in arguments.gates:
        gate = read_gate(folder)
        if gate.result is None:
            print(f"{folder.name}: has not come to its end, left out")
            continue
        plan = planned(gate, read_run(folder / "timing.jsonl"), change)
        chances = {one.benchmark: one.power for one in plan.benchmarks}
        verdicts = {name: verdict == "REGRESSED" for name, verdict in timed(gate.result).items()}
        both = [name for name in chances if name in verdicts]
        predicted += [chances[name] for name in both]
        found += [verdicts[name] for name in both]
        here = mean(verdicts[name] for name in both)
        spread = float(np.median([one.spread for one in plan.benchmarks]))
        print(
            f"{folder.name}: spread of a process {spread:.2%} (median), "
            f"predicted {mean(chances[name] for name in both):.0%}, found {here:.0%}"
        )
    if not found:
        raise SystemExit("no gate that has come to its end")
    print(f"\n{len(found)} decisions: predicted {mean(predicted):.0%}, found {mean(found):.0%}")
    keep(
        arguments.out,
        {
            "study": "gate_plan",
            "percent": arguments.percent,
            "decisions": len(found),
            "predicted": mean(predicted),
            "found": mean(found),
        },
    )


def planned(gate: GateFile, run: RunFile, change: float) -> Plan:
    settings = gate.header.settings
    trial = {name: logs[: timing.CALIBRATION] for name, logs in judging.spread(run).items()}
    parts = {(sample.process, sample.benchmark) for sample in run.samples}
    seconds = sum(end.wall_s for end in run.ends) / len(parts)
    return sensitivity.make_plan(
        trial,
        dict.fromkeys(trial, seconds),
        {name: settings.margin_of(name) for name in trial},
        minutes=settings.minutes,
        seed=gate.header.seed,
        change=change,
    )


def timed(result: GateResult) -> dict[str, str]:
    return {one.subject: one.verdict for one in result.decisions if one.tier == "timing"}


if __name__ == "__main__":
    main()
