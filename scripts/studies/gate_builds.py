"""Whether two builds of one C++ extension are told apart, and how well the difference is sized.

    scripts/dev study gate_builds --out FOLDER

The extension is loopgauge's own, in a clone of this repository: one commit on top switches the free
list of handles off. Several gates with seeds of their own compare the two commits. What all but one
of them found together is the long run that this one is held against, benchmark by benchmark. Gates
already in FOLDER are not run again; FOLDER/figures.jsonl gets what was found.
"""

from __future__ import annotations

import argparse
import subprocess
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean

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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=5.0, help="of each gate")
    parser.add_argument("--benchmark", action="append", default=[], help="default: five")
    parser.add_argument("--out", type=Path, default=Path("gate-builds"))
    arguments = parser.parse_args()
    if arguments.gates < 2:
        parser.error("one gate alone has nothing to be held against")
    folder = arguments.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)

    clone = folder / "clone"
    base, head = cloned(clone)
    names = arguments.benchmark or [*BENCHMARKS]
    found: dict[str, list[Decision]] = defaultdict(list)
    for seed in range(1, arguments.gates + 1):
        done = compared(folder / f"gate-{seed}", clone, base, head, seed, arguments.minutes, names)
        print(f"gate {seed}/{arguments.gates}: {done.timing_s:.0f} s")
        for decision in done.of("timing"):
            print(" ", said(decision), flush=True)
            found[decision.subject].append(decision)
    for name, decisions in found.items():
        report(name, decisions, folder)


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
    out: Path, clone: Path, base: str, head: str, seed: int, minutes: float, names: list[str]
) -> Gate:
    return gate(
        out, *names, "--base", base, "--head", head, "--loop", "epoll", "--seed", str(seed),
        "--minutes", str(minutes), "--no-conformance", "--no-deterministic",
        cwd=clone,
    )  # fmt: skip


def report(name: str, decisions: list[Decision], folder: Path) -> None:
    """How far each gate is from the mean of the others, as a share of the cost."""
    changes = [one.change for one in decisions if one.change is not None]
    offs = []
    for number, change in enumerate(changes):
        others = mean(changes[:number] + changes[number + 1 :])
        offs.append((1 + change) / (1 + others) - 1)
    called = Counter(one.verdict for one in decisions)
    print(
        f"{name}: {mean(changes):+.2%}; {dict(called)}; off by {min(offs):+.2%} to {max(offs):+.2%}"
    )
    keep(
        folder / "figures.jsonl",
        {
            "study": "gate_builds",
            "benchmark": name,
            "verdicts": called,
            "changes": changes,
            "off": offs,
        },
    )


if __name__ == "__main__":
    main()
