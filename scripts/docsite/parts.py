"""Parts of pages: `<!-- build: NAME -->` in a page becomes what the function NAME says."""

from __future__ import annotations

import re
from collections.abc import Callable

from docsite import catalogues, figures, reference, terms

MARK = re.compile(r"^<!-- build: (\S+) -->$", re.MULTILINE)

PARTS: dict[str, Callable[[], str]] = {
    "commands": reference.commands_table,
    "statuses": terms.statuses,
    "verdicts": terms.verdicts,
    "families": terms.families,
    "gate-verdicts": terms.gate_verdicts,
    "conformance-verdicts": terms.conformance_verdicts,
    "scenarios": catalogues.scenarios,
    "rules": catalogues.rules,
    "committed-runs": figures.committed_runs,
    "simulated-fleets": figures.fleets,
}


def filled(markdown: str) -> str:
    """Raises KeyError for a part that nobody makes."""
    return MARK.sub(lambda found: PARTS[found[1]](), markdown)
