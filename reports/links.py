"""Where a page's neighbours are: a whole page has none, a site has them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Links:
    """Addresses relative to the page that is written; "" where there is no such page.

    The keys are case and rule ids, benchmark ids, and loops' names. `home`: the site's first page,
    with its title.
    """

    cases: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    benchmarks: Mapping[str, str] = field(default_factory=dict)
    loops: Mapping[str, str] = field(default_factory=dict)
    home: tuple[str, str] | None = None

    def case(self, name: str) -> str:
        return self.cases.get(name, "")

    def rule(self, name: str) -> str:
        return self.rules.get(name, "")

    def benchmark(self, name: str) -> str:
        return self.benchmarks.get(name, "")

    def loop(self, name: str) -> str:
        return self.loops.get(name, "")


NO_LINKS = Links()
