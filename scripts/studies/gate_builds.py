"""Whether two builds of one C++ extension are told apart, and how well the difference is sized.

    scripts/dev study gate_builds --out FOLDER

The extension is loopgauge's own, in a clone of this repository: one commit on top switches the free
list of handles off. A gate compares the two commits. Each benchmark that it calls changed then gets
a long run, which is a gate whose margin is the very change that was found, so that it ends no
sooner than its minutes: what differs between the two estimates is the gate's error. Gates already
in FOLDER are not run again; FOLDER/figures.jsonl gets what was found.
"""

from __future__ import annotations

import argparse
import math
import subprocess
from pathlib import Path

from gates import HERE, Gate, gate, keep, said

from loopgauge.harness.gate.model import Decision

ROOT = HERE.parents[1]
CHANGED = Path("loops/native/handle.cpp")
KEPT = "free_list.size < FreeList::kCapacity"
DROPPED = "free_list.size > FreeList::kCapacity"
BENCHMARKS = (
    "throughput.call_soon_chain",
    "throughput.call_soon_batch",
    "throughput.call_soon_args",
    "throughput.sleep0",
    "timer.reschedule",
)
SMALLEST = 0.001  # a margin; of a change that is smaller


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="of the gate")
    parser.add_argument("--long", type=float, default=10.0, help="minutes of each long run")
    parser.add_argument("--benchmark", action="append", default=[], help="default: five")
    parser.add_argument("--out", type=Path, default=Path("gate-builds"))
    arguments = parser.parse_args()
    folder = arguments.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    clone = folder / "clone"
    base, head = cloned(clone)
    names = arguments.benchmark or [*BENCHMARKS]
    first = compared(folder / "gate", clone, base, head, 1, arguments.minutes, names)
    for decision in first.of("timing"):
        print(said(decision), flush=True)
    print(f"the gate took {first.timing_s:.0f} s\n")
    changed = [one for one in first.of("timing") if one.verdict in ("REGRESSED", "IMPROVED")]
    for decision in changed:
        out = folder / f"long-{decision.subject}"
        margin = ["--margin", f"{100 * margin_at(decision):.4f}"]
        again = compared(out, clone, base, head, 2, arguments.long, [decision.subject], *margin)
        report(decision, again.of("timing")[0], folder)


def cloned(clone: Path) -> tuple[str, str]:
    """The two commits; of what is committed here."""
    if not clone.exists():
        git("clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone), cwd=ROOT)
        source = clone / CHANGED
        text = source.read_text(encoding="utf-8")
        if text.count(KEPT) != 1:
            raise SystemExit(f"{CHANGED} does not hold {KEPT!r} once: this study is out of date")
        source.write_text(text.replace(KEPT, DROPPED), encoding="utf-8")
        who = ("-c", "user.name=study", "-c", "user.email=study@example.invalid")
        git(*who, "commit", "--quiet", "-am", "Switch the free list of handles off", cwd=clone)
    return git("rev-parse", "HEAD~1", cwd=clone), git("rev-parse", "HEAD", cwd=clone)


def git(*words: str, cwd: Path) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def compared(
    out: Path, clone: Path, base: str, head: str, seed: int, minutes: float, names: list[str],
    *more: str,
) -> Gate:  # fmt: skip
    return gate(
        out, *names, "--base", base, "--head", head, "--loop", "epoll", "--seed", str(seed),
        "--minutes", str(minutes), "--no-conformance", "--no-deterministic", *more,
        cwd=clone,
    )  # fmt: skip


def margin_at(decision: Decision) -> float:
    assert decision.change is not None
    return max(SMALLEST, math.expm1(abs(math.log1p(decision.change))))


def report(found: Decision, true: Decision, folder: Path) -> None:
    assert found.change is not None
    assert true.change is not None
    off = found.change - true.change
    print(f"{found.subject}: {found.change:+.2%} by the gate; by the long run {said(true)}")
    print(f"  off by {off:+.2%}, {true.processes} processes per side", flush=True)
    keep(
        folder / "figures.jsonl",
        {
            "study": "gate_builds",
            "benchmark": found.subject,
            "verdict": found.verdict,
            "gate": found.change,
            "long": true.change,
            "long_low": true.low,
            "long_high": true.high,
            "off": off,
        },
    )


if __name__ == "__main__":
    main()
