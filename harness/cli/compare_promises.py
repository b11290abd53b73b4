"""`bench compare` of two conformance results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopgauge.harness.cli.errors import Problem
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from loopgauge.conformance.difference import Difference


def compare_promises(names: Sequence[str], *, as_json: bool) -> ExitCode:
    """Prints what changed. Raises UnreadableResult."""
    from loopgauge.conformance import store
    from loopgauge.conformance.difference import compare
    from loopgauge.harness.cli.console import stdout_console
    from loopgauge.harness.cli.output import print_json
    from loopgauge.harness.cli.verdict_table import print_difference

    if Path(names[0]).resolve() == Path(names[1]).resolve():
        raise click.UsageError(f"Both are {names[0]}.")
    old, new = (store.read(Path(name)) for name in names)
    difference = compare(old, new)
    alone = difference.of("added") + difference.of("removed")
    if not difference.same and len(alone) == len(difference.changes):
        raise Problem(
            ExitCode.NOTHING_MEASURED,
            f"{names[0]} and {names[1]} have no loop and case in common",
            "Ask the same loop by the same name on both sides",
        )
    cut = [one.path for one in (old, new) if one.end is None or not one.end.complete]
    code = ExitCode.LEFT_OUT if alone or cut else ExitCode.OK
    if difference.of("regression"):
        code = ExitCode.CONFORMANCE
    if as_json:
        print_json(as_object(difference, code))
        return code
    print_difference(difference, stdout_console())
    if old.header.python != new.header.python:
        click.echo(f"note: Python {old.header.python} -> {new.header.python}")
    for path in cut:
        click.echo(f"note: {path} is not finished")
    return code


def as_object(difference: Difference, code: ExitCode) -> dict[str, Any]:
    """`changes`: regressions first; before and after are null where it was not asked."""
    return {
        "schema": 1,
        "kind": "conformance-difference",
        "exit_code": int(code),
        "base": str(difference.old.path),
        "head": str(difference.new.path),
        "same": difference.same,
        "changes": [
            {
                "way": change.way,
                "loop": change.loop,
                "case": change.case,
                "level": change.level,
                "before": change.before.verdict if change.before else None,
                "after": change.after.verdict if change.after else None,
                "reason": change.reason,
            }
            for change in difference.changes
        ],
    }
