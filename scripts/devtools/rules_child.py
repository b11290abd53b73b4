"""Asks one loop every case of the rules lane, or those named, and prints each verdict as it comes.

Run by a Python that imports the copy under test: `rules_child.py LOOP JOBS [AREA|CASE]...`. JSON
lines on stdout: {"case", "verdict"}, and at last {"asked"}. Stock asyncio is not asked, and
expectations are not read: what counts is the difference from the same loop without a fault. Ends
early, and leaves no process behind, when it is interrupted.
"""

from __future__ import annotations

import json
import signal
import sys

from loopgauge.conformance.lanes import Question, rules
from loopgauge.conformance.runner.messages import Outcome, Target
from loopgauge.conformance.runner.pool import Pool
from loopgauge.loops.registry import resolve


def main(name: str, jobs: str, *words: str) -> None:
    spec = resolve(name)
    target = Target(name=spec.name, factory=spec.factory, arguments=spec.arguments)
    everything = rules.questions(sys.version_info[:3])
    asked = [q for q in everything if not words or q.id in words or q.id.split("-")[0] in words]
    with Pool(int(jobs)) as pool:
        rules.answer(asked, target, pool, _tell)
    print(json.dumps({"asked": len(asked)}), flush=True)


def _tell(question: Question, outcome: Outcome) -> None:
    print(json.dumps({"case": question.id, "verdict": outcome.verdict}), flush=True)


if __name__ == "__main__":
    # A shell starts what runs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
