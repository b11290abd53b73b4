"""How often a gate calls identical code changed, with other work coming and going.

    scripts/dev study gate_false_alarms --gates 20 --out FOLDER

Base and head are one loop. Every gate has the default benchmarks (ten, bound by callbacks) and both
stages; a false alarm is a REGRESSED, and a false IMPROVED is counted beside it. Gates already in
FOLDER are not run again; FOLDER/figures.jsonl gets what was found.
"""

from __future__ import annotations

import argparse
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

from gates import gate, keep, said
from other_load import coming_and_going


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=20)
    parser.add_argument("--loop", default="epoll")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--quiet", action="store_true", help="without work of our own beside it")
    parser.add_argument("--out", type=Path, default=Path("gate-false-alarms"))
    arguments = parser.parse_args()
    folder = arguments.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    verdicts: Counter[str] = Counter()
    flagged, seconds = 0, []
    for seed in range(arguments.gates):
        with nullcontext() if arguments.quiet else coming_and_going(seed):
            done = gate(
                folder / f"{arguments.loop}-{seed:02}",
                "--base", arguments.loop, "--head", arguments.loop, "--seed", str(seed),
                "--minutes", str(arguments.minutes), "--no-conformance", "--no-deterministic",
            )  # fmt: skip
        decisions = done.of("timing")
        verdicts.update(decision.verdict for decision in decisions)
        flagged += sum(decision.stage == 2 for decision in decisions)
        seconds.append(done.timing_s)
        undecided = [said(one) for one in decisions if one.verdict != "EQUIVALENT"]
        took = f"gate {seed + 1}/{arguments.gates}: {seconds[-1]:.0f} s"
        print(took, *undecided, sep="\n  ", flush=True)
    total = sum(verdicts.values())
    print(f"\ndecisions on identical code: {total}, of these", dict(verdicts))
    print(f"false REGRESSED: {verdicts['REGRESSED']} of {total}; flagged by stage one: {flagged}")
    print(f"seconds per gate: {min(seconds):.0f} to {max(seconds):.0f}")
    keep(
        folder / "figures.jsonl",
        {
            "study": "gate_false_alarms",
            "loop": arguments.loop,
            "gates": arguments.gates,
            "other_load": not arguments.quiet,
            "decisions": total,
            "verdicts": verdicts,
            "false_regressed": verdicts["REGRESSED"],
            "flagged": flagged,
            "longest_s": max(seconds),
        },
    )


if __name__ == "__main__":
    main()
