"""Generated programs run on the loop under test and on stock; the traces must be equal.

Besides what the documentation orders, asyncio's order inside a turn is compared (what was queued,
then the timers that are due), which the built-in loop keeps on purpose.
"""

from __future__ import annotations

from hypothesis import given
from loop_testing import profile
from loop_testing.compare import on
from loop_testing.programs import Action, actions, trace
from loop_testing.target import LoopFactory, stock_factory


@profile.examples(300)
@given(program=actions())
def test_same_trace(loop_factory: LoopFactory, program: tuple[Action, ...]) -> None:
    ours = on(loop_factory, lambda loop: trace(loop, program))
    stock = on(stock_factory(), lambda loop: trace(loop, program))
    assert ours == stock


def test_programs_do_something(loop_factory: LoopFactory) -> None:
    """One program with everything in it: its trace is what the kinds promise."""
    program = (
        Action("soon", body=(Action("soon"), Action("stop"))),
        Action("due", 5, (Action("raise"),)),
        Action("due", 3),
        Action("far", 1),
        Action("cancel", 3),
        Action("add_reader", 1),
        Action("feed", 1),
    )
    seen = on(loop_factory, lambda loop: trace(loop, program))
    assert seen["events"] == [(1, "soon", 0), (1, "due", 2), (1, "due", 1), (2, "soon", 4)]
    assert seen["readable"] == [1]
    assert seen["watched"] == [False, True, False]
    assert seen["cancelled"] == [False, False, False, True, False]
    assert seen["errors"] == [LookupError]
