"""`bench site --store`: the site of a store of many hosts' runs, or the page of one loop in it."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from loopgauge.harness.cli.errors import Problem, did_you_mean, termination_as_interrupt
from loopgauge.harness.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from loopgauge.harness.history.fleet_queries import Figures


def site_of_store(store: str, wait: float, out: Path, title: str) -> Path:
    """Returns the first page. Raises Problem where the store has no figure to show, and the errors
    of a store."""
    from loopgauge.harness.cli.site_folder import replacing, require_ours
    from loopgauge.harness.history.fleet_queries import read_days, read_figures
    from loopgauge.harness.history.opening import is_url, open_store, shown
    from loopgauge.harness.history.over_hosts import REFERENCE, summarise, summarise_days
    from loopgauge.reports.site.stored import Stored
    from loopgauge.reports.site.stored_site import render_stored

    require_ours(out, [] if is_url(store) else [Path(store)])
    with termination_as_interrupt():
        with closing(open_store(store, wait_s=wait)) as kept, kept.reading() as connection:
            found = require_figures(read_figures(connection, REFERENCE), shown(store))
            days = summarise_days(read_days(connection, REFERENCE))
        with replacing(out) as folder:
            render_stored(Stored(title, summarise(found), days), folder)
    return out / "index.html"


def page_of_loop(store: str, wait: float, loop: str, out: Path | None, title: str) -> Path:
    """One file. Raises Problem where the store has no such loop, and the errors of a store."""
    from loopgauge.harness.cli.output import require_no_result
    from loopgauge.harness.history.fleet_queries import read_figures
    from loopgauge.harness.history.opening import open_store
    from loopgauge.harness.history.over_hosts import REFERENCE, summarise
    from loopgauge.reports.site.stored import Stored, write_loop_page

    page = out or Path(f"site-{re.sub(r'[^A-Za-z0-9._-]+', '-', loop)}.html")
    require_no_result(page)
    if page.is_dir():
        raise Problem(
            ExitCode.USAGE, f"--out {page} is a folder", "With --loop the page is one file"
        )
    with closing(open_store(store, wait_s=wait)) as kept, kept.reading() as connection:
        figures = read_figures(connection, REFERENCE, loop=loop)
        if not figures.loops:
            raise no_such_loop(connection, loop)
    return write_loop_page(Stored(title, summarise(figures, whole=False)), loop, page)


def require_figures(figures: Figures, store: str) -> Figures:
    if not figures.loops:
        raise Problem(
            ExitCode.NOTHING_MEASURED,
            f"the store {store} has no figure relative to stock asyncio",
            "Fill it from your runs: bench history import --all --store ...",
        )
    return figures


def no_such_loop(connection: Connection, loop: str) -> Problem:
    from loopgauge.harness.history.fleet_queries import stored_loops

    known = stored_loops(connection)
    if not known:
        return Problem(
            ExitCode.NOTHING_MEASURED,
            "the store has no figure relative to stock asyncio",
            "Fill it from your runs: bench history import --all --store ...",
        )
    listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return Problem(
        ExitCode.USAGE,
        f"the store has no figures of {loop!r}",
        did_you_mean(loop, set(known)) or f"There are: {listed}",
    )
