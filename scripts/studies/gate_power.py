"""How often a gate finds a slow-down that was put in, and what a gate takes.

    scripts/dev study gate_power --gates 5 --percent 2 --out FOLDER

Head burns PERCENT of the CPU time of each run at its end (spun_loops.py), so that all ten default
benchmarks are slower by that much. Found means: REGRESSED, after both stages. --check N runs one
gate of N minutes whose margin is the slow-down itself, so that none is decided early: whether what
is put in is what is measured. Gates already in FOLDER are not run again; FOLDER/figures.jsonl gets
what was found.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from statistics import mean

from gates import Gate, gate, keep, said
from other_load import coming_and_going


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=5)
    parser.add_argument("--percent", type=float, default=2.0)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--check", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--load", action="store_true", help="work of our own comes and goes")
    parser.add_argument("--out", type=Path, default=Path("gate-power"))
    arguments = parser.parse_args()
    folder = arguments.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["LOOPGAUGE_STUDY_PERCENT"] = str(arguments.percent)
    if arguments.check:
        check(folder, arguments.percent, arguments.check)
        return

    gates: list[Gate] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.gates):
        with coming_and_going(seed) if arguments.load else nullcontext():
            gates.append(slowed(folder / f"{arguments.percent}-{seed:02}", seed, arguments.minutes))
        missed = [said(one) for one in gates[-1].of("timing") if one.verdict != "REGRESSED"]
        took = f"gate {len(gates)}/{arguments.gates}: {gates[-1].timing_s:.0f} s"
        print(took, *missed, sep="\n  missed ", flush=True)
    verdicts = Counter(one.verdict for done in gates for one in done.of("timing"))
    total, seconds = sum(verdicts.values()), [done.timing_s for done in gates]
    print(f"\n+{arguments.percent:g} %: found {verdicts['REGRESSED']} of {total}", dict(verdicts))
    print(f"seconds per gate: {min(seconds):.0f} to {max(seconds):.0f}")
    keep(
        folder / "figures.jsonl",
        {
            "study": "gate_power",
            "percent": arguments.percent,
            "gates": len(gates),
            "other_load": arguments.load,
            "decisions": total,
            "found": verdicts["REGRESSED"],
            "verdicts": verdicts,
            "longest_s": max(seconds),
        },
    )


def slowed(out: Path, seed: int, minutes: float, *more: str) -> Gate:
    return gate(
        out,
        "--base", "spun_loops:punctual", "--head", "spun_loops:late", "--seed", str(seed),
        "--minutes", str(minutes), "--no-conformance", "--no-deterministic", *more,
    )  # fmt: skip


def check(folder: Path, percent: float, minutes: float) -> None:
    """How large the slow-down is that was put in."""
    done = slowed(folder / f"check-{percent}", 1_000_000, minutes, "--margin", str(percent))
    changes = [one.change for one in done.of("timing") if one.change is not None]
    for decision in done.of("timing"):
        print(said(decision))
    print(
        f"\n{percent:g} % put in, {mean(changes):+.2%} measured on average, {done.timing_s:.0f} s"
    )
    keep(
        folder / "figures.jsonl",
        {"study": "gate_power", "percent": percent, "check_minutes": minutes, "measured": changes},
    )


if __name__ == "__main__":
    main()
