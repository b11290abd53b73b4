"""Whether a host is fit to measure: what it tells of itself, judged; and its own findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from loopgauge.harness import doctor
from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.doctor.installation import DISK_NEEDED, python_findings
from loopgauge.harness.fleet.hosts import HostFacts

# Certificates and leases bear some seconds; what is dated by a clock that is further off lands
# among the runs of another hour of a history.
CLOCK_WARN_S = 5.0
CLOCK_UNFIT_S = 60.0
FINDINGS_MOST = 200
WORDS_MOST = 1000
EXAMINE = "loopgauge.harness.fleet.fitness:examine"


def fitness(facts: HostFacts) -> Finding | None:
    """Why this host is not to be used unless somebody insists, all in one; None if it is fit."""
    problems = [found for found in judged(facts) if found.level == "problem"]
    if not problems:
        return None
    return msgspec.structs.replace(
        problems[0],
        found="; ".join(problem.found for problem in problems),
        cure="; ".join(problem.cure for problem in problems),
    )


def judged(facts: HostFacts) -> list[Finding]:
    """What its facts say, good and bad."""
    return [
        *python_findings(facts.interpreter),
        *clock_findings(facts.utc_offset_s),
        *lock_findings(facts.lock_refused),
        *disk_findings(facts.free_bytes),
    ]


def clock_findings(ahead_s: float) -> Iterator[Finding]:
    if abs(ahead_s) <= CLOCK_WARN_S:
        yield Finding(check="time", level="ok", found="its clock tells the time of this command")
        return
    yield Finding(
        check="time",
        level="problem" if abs(ahead_s) > CLOCK_UNFIT_S else "warning",
        found=f"its clock is {duration(abs(ahead_s))} {'ahead' if ahead_s > 0 else 'behind'}",
        meaning="What it dates lies in another hour than it happened; certificates may fail",
        cure="Set it there: sudo timedatectl set-ntp true",
    )


def lock_findings(refused: str) -> Iterator[Finding]:
    if refused:
        yield Finding(
            check="lock",
            level="problem",
            found=f"cannot take the lock of its machine ({refused})",
            meaning="Somebody else could measure there at the same time",
            cure="Name a file that its user may open with LOOPGAUGE_LOCK",
        )


def disk_findings(free: int) -> Iterator[Finding]:
    if free < DISK_NEEDED:
        yield Finding(
            check="disk",
            level="problem",
            found=f"{free >> 20} MiB left on the disk of its temporary folder",
            meaning="Cases and loops write there, and fail for no fault of theirs",
            cure="Make room there, or start the worker with TMPDIR on another disk",
        )
    else:
        yield Finding(check="disk", level="ok", found=f"{free >> 30} GiB of disk left")


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def examine(payload: bytes) -> bytes:
    """On the host: the findings of `bench doctor` as JSON. Takes a few seconds."""
    return msgspec.json.encode(doctor.diagnose(results_here=False))


def told(answer: bytes) -> list[Finding]:
    """What a host answered. Raises msgspec.DecodeError where it makes no sense."""
    return msgspec.json.decode(answer, type=list[Finding])[:FINDINGS_MOST]


def together(facts: HostFacts, own: Sequence[Finding]) -> list[Finding]:
    """What a host found itself, and what its facts say of other things."""
    checked = {found.check for found in own}
    ours = [found for found in judged(facts) if found.check not in checked]
    return [*map(harmless, own), *map(harmless, ours)]


def harmless(finding: Finding) -> Finding:
    """What a worker says of itself may be anything: no text of it moves a cursor."""
    words: dict[str, str] = {
        name: printable(value) for name, value in msgspec.structs.asdict(finding).items()
    }
    return msgspec.structs.replace(finding, **words)


def printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:WORDS_MOST]
