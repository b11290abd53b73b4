"""Whether the deterministic tier finds a change of half a percent, every time.

    scripts/dev study gate_counts --percent 0.5 --times 3 --out FOLDER

Head burns a few instructions in every call_soon() (spun_loops.py). How many iterations of the
burner are PERCENT of an operation's instructions differs from benchmark to benchmark, so a first
gate counts what CALIBRATION iterations add to each, and then every benchmark has gates of its own.
Found means: REGRESSED in the tier of instructions. Gates already in FOLDER are not run again;
FOLDER/figures.jsonl gets what was found.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gates import gate, keep

from loopgauge.harness.gate.model import Decision

CALIBRATION = 1000
SCENARIOS = (
    "throughput.call_soon_chain",
    "throughput.call_soon_batch",
    "throughput.call_soon_args",
    "throughput.call_soon_context",
    "throughput.sleep0",
    "throughput.task_spawn",
    "throughput.gather",
    "throughput.future_chain",
    "throughput.queue_producer_consumer",
    "throughput.event_fanout",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--percent", type=float, default=0.5)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--scenario", action="append", default=[], help="default: ten")
    parser.add_argument("--out", type=Path, default=Path("gate-counts"))
    arguments = parser.parse_args()
    folder = arguments.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    names = arguments.scenario or [*SCENARIOS]
    found = total = 0
    for calibrated in counted(folder / "calibration", names, CALIBRATION):
        if not calibrated.change:
            raise SystemExit(f"{calibrated.subject}: the burner adds nothing to it")
        spin = round(CALIBRATION * arguments.percent / 100 / calibrated.change)
        for time in range(arguments.times):
            name = f"{calibrated.subject}-{arguments.percent}-{time}"
            (decision,) = counted(folder / name, [calibrated.subject], spin)
            assert decision.change is not None
            total += 1
            found += decision.verdict == "REGRESSED"
            print(
                f"{decision.subject}: {spin} iterations, {decision.change:+.3%} of"
                f" {decision.base:.0f} instructions: {decision.verdict} {decision.reason}",
                flush=True,
            )
            keep(
                folder / "figures.jsonl",
                {
                    "study": "gate_counts",
                    "percent": arguments.percent,
                    "benchmark": decision.subject,
                    "change": decision.change,
                    "verdict": decision.verdict,
                },
            )
    print(f"\n+{arguments.percent:g} % of the instructions: found {found} of {total}")


def counted(folder: Path, names: list[str], spin: int) -> list[Decision]:
    """What a gate of the deterministic tier alone says of the instructions."""
    done = gate(
        folder, *names, "--base", "spun_loops:plain", "--head", "spun_loops:slowed",
        "--no-conformance", "--no-timing", "--no-explain",
        environment={"LOOPGAUGE_STUDY_SPIN": str(spin)},
    )  # fmt: skip
    return done.of("instructions")


if __name__ == "__main__":
    main()
