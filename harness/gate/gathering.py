"""From the files of a gate to what its decisions rest on. Reads nothing else.

A file that is not whole is read as far as it goes, and named: a page of what is there serves its
reader better than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from loopgauge.harness.errors import RunFileError
from loopgauge.harness.explained import Cost, Explanation
from loopgauge.harness.gate import counting, explaining, judging, looks
from loopgauge.harness.gate.decision import TIMED, alpha_of
from loopgauge.harness.gate.evidence import Counted, Evidence, Explained, Figure, Part, Timed
from loopgauge.harness.gate.looks import Judged
from loopgauge.harness.gate.model import Settings
from loopgauge.harness.gate.store import GateFile, has_records
from loopgauge.harness.gate.subject import BASE, HEAD
from loopgauge.harness.model import Metric
from loopgauge.harness.packed import there
from loopgauge.harness.store import RunFile, read_whole

LEAST = 0.005  # of a count: less in one operation is a rounding of the difference quotient
MOST = 20  # parts of a count


def gather(gate: GateFile) -> Evidence:
    """Raises nothing for a file that cannot be read: it is named in `missing`."""
    found = Evidence()
    settings = gate.header.settings
    for stage, confirmation in TIMED:
        if first := _file(gate, stage, found.missing):
            second = _file(gate, confirmation, found.missing)
            found.timed += timed(first, second, settings, alpha_of(gate.header))
    if counts := _file(gate, "counts", found.missing):
        found.counted = counted(counts, _file(gate, "counts-again", found.missing))
    found.explained = [compared(one) for one in _explanations(gate, found.missing)]
    return found


def _file(gate: GateFile, name: str, missing: list[str]) -> RunFile | None:
    path = there(gate.folder / f"{name}.jsonl")
    if not has_records(path):
        return None
    try:
        file, problem = read_whole(path)
    except RunFileError as error:
        missing.append(error.cause)
        return None
    if problem:
        missing.append(problem)
    return file


def timed(first: RunFile, second: RunFile | None, settings: Settings, alpha: float) -> list[Timed]:
    """One per benchmark, in the order of the run."""
    judged = judging.judged_first(first, settings)
    again = judging.judged_again(second, judged, settings, alpha) if second else {}
    found = []
    for benchmark in first.header.benchmarks:
        margin = settings.margin_of(benchmark.id)
        fresh = again.get(benchmark.id)
        decisive = second if fresh and second else first
        found.append(
            Timed(
                benchmark=benchmark,
                margin=margin,
                first=figure(judged[benchmark.id]),
                second=figure(fresh[0]) if fresh else None,
                twin=figure(judging.twin_judged(decisive, benchmark, margin)),
            )
        )
    return found


def figure(judged: Judged | None) -> Figure | None:
    if judged is None:
        return None
    return Figure(
        call=judged.call,
        change=looks.as_change(judged.estimate),
        low=looks.as_change(judged.low),
        high=looks.as_change(judged.high),
        level=judged.level,
        processes=judged.size,
    )


def counted(first: RunFile, again: RunFile | None) -> list[Counted]:
    """The second count of what was counted twice, as the decisions have it."""
    table = counting.table(first)
    if again is not None:
        table |= {key: sides for key, sides in counting.table(again).items() if sides}
    return [
        Counted(
            benchmark=benchmark,
            tier=tier,
            unit=sides[HEAD].unit,
            base=sides[BASE].value,
            head=sides[HEAD].value,
            parts=differing(sides[BASE], sides[HEAD]),
        )
        for (benchmark, tier), sides in table.items()
        if {BASE, HEAD} <= sides.keys()
    ]


def differing(base: Metric, head: Metric) -> list[Part]:
    parts = parts_of(base.by_name, head.by_name)
    return [part for part in parts if abs(part.change) >= LEAST][:MOST]


def parts_of(base: Mapping[str, float], head: Mapping[str, float]) -> list[Part]:
    both = counting.paired(base, head)
    return by_change(Part(name=n, base=before, head=after) for n, (before, after) in both.items())


def by_change(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: (-abs(part.change), part.name))


def _explanations(gate: GateFile, missing: list[str]) -> Sequence[Explanation]:
    found, problem = explaining.read(there(gate.folder / explaining.FILE))
    if problem:
        missing.append(problem)
    return [one for one in found if [loop.arm for loop in one.loops] == [BASE, HEAD]]


def compared(one: Explanation) -> Explained:
    base, head = one.loops
    return Explained(
        explanation=one,
        functions=functions(base.functions, head.functions),
        python_functions=functions(base.python_functions, head.python_functions),
    )


def functions(base: Sequence[Cost], head: Sequence[Cost]) -> list[Part]:
    """Where one side has none at all it was not counted there, and nothing can be compared."""
    if not base or not head:
        return []
    both = counting.paired(by_place(base), by_place(head))
    parts = (
        Part(name=name, file=file, base=before, head=after)
        for place, (before, after) in both.items()
        for name, _, file in [place.partition(_BETWEEN)]
    )
    return [part for part in by_change(parts) if abs(part.change) >= LEAST][:MOST]


_BETWEEN = "\0"  # in neither a function's name nor a file's


def by_place(costs: Iterable[Cost]) -> dict[str, float]:
    """Two files of one name become one here."""
    found: dict[str, float] = {}
    for cost in costs:
        place = f"{cost.name}{_BETWEEN}{cost.file}"
        found[place] = found.get(place, 0.0) + cost.value
    return found
