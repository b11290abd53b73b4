"""Small text files of /proc and /sys, below a root that tests choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CPU = "sys/devices/system/cpu"


def read(path: Path) -> str:
    """The file's text, "" where there is none or it may not be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Files:
    root: Path = Path("/")

    def text(self, path: str) -> str:
        """ "" where there is no such file or it may not be read."""
        return read(self.root / path)

    def number(self, path: str) -> int | None:
        return whole(self.text(path))

    def each(self, pattern: str) -> dict[Path, str]:
        """Texts of all files that match, by path, ascending."""
        return {path: read(path) for path in sorted(self.root.glob(pattern))}

    def of_cpus(self, cpus: list[int], name: str) -> dict[int, str]:
        """One file of each CPU; those that have none are left out."""
        found = {cpu: self.text(f"{CPU}/cpu{cpu}/{name}") for cpu in cpus}
        return {cpu: text for cpu, text in found.items() if text}


def whole(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def keyed(text: str) -> dict[str, int]:
    """Lines such as "nr_throttled 12" or "SwapTotal: 12 kB"; others are passed over."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit():
            found[words[0].rstrip(":")] = int(words[1])
    return found


def chosen(text: str) -> str:
    """The word in brackets: "always [madvise] never"."""
    return text.partition("[")[2].partition("]")[0]


def pressure(text: str, span: str) -> float:
    """Share (0 to 1) of the time, of "some" task, in the average over `span` ("avg10", "avg60").
    0 where the kernel does not say (psi=0)."""
    for line in text.splitlines():
        kind, *fields = line.split()
        if kind == "some":
            for field in fields:
                name, _, value = field.partition("=")
                if name == span:
                    return float(value) / 100
    return 0.0
