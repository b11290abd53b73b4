from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from loopgauge.conformance import surface
from loopgauge.conformance.case import Case
from loopgauge.conformance.catalogue import rules


def used(body: Any, variant: str = "") -> dict[tuple[str, str], set[str]]:
    """What a body uses, as the suite sees it."""
    case = Case(
        id="SOON-001.x",
        rule=rules()["SOON-001"],
        description="",
        expected="",
        profile="Core",
        since="3.11",
        until="",
        leaves=frozenset(),
        alone=False,
        seconds=1,
        body=body,
        variant=variant,
    )
    found: dict[tuple[str, str], set[str]] = {}
    for owner, name, parameters in surface._exercised(case):
        found.setdefault((owner, name), set()).update(parameters)
    return found


def keywords_and_positions(t: Any) -> None:
    t.loop.call_later(1, print, "a", context=None)
    asyncio.get_running_loop().create_connection(print, "host", ssl=None)


def on_other_objects(t: Any) -> None:
    file = t.open()
    file.close()
    made = t.made
    made.transport.close()
    t.server.close()
    t.handle.cancel()
    t.task.cancel()


def handed_on(t: Any) -> None:
    functools.partial(t.loop.create_server, print, backlog=3)
    t.thread(t.loop.call_soon_threadsafe, t.loop.stop)


def by_variant(t: Any, kind: str) -> None:
    getattr(t.loop, kind.replace("-", "_"))(print)


def spelt_out(t: Any) -> None:
    getattr(t.loop, "sock_recv")(1, 2)  # noqa: B009


def expanded(t: Any) -> None:
    def ask(**how: Any) -> None:
        t.loop.create_task(t.coro(), **how)

    ask(name="x")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            keywords_and_positions,
            {
                ("loop", "call_later"): {"delay", "callback", "*args", "context"},
                ("loop", "create_connection"): {"protocol_factory", "host", "ssl"},
            },
        ),
        (
            on_other_objects,
            {
                ("transport", "close"): set(),
                ("server", "close"): set(),
                ("handle", "cancel"): set(),
            },
        ),
        (
            handed_on,
            {
                ("loop", "create_server"): {"protocol_factory", "backlog"},
                ("loop", "call_soon_threadsafe"): {"callback"},
                ("loop", "stop"): set(),
            },
        ),
        (spelt_out, {("loop", "sock_recv"): set()}),
        (expanded, {("loop", "create_task"): {"coro", "name"}}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_body_uses(body: Any, expected: dict[tuple[str, str], set[str]]) -> None:
    assert used(body) == expected


def test_a_method_named_by_the_variant() -> None:
    assert used(by_variant, "call-soon") == {("loop", "call_soon"): set()}


def test_the_whole_interface_is_there() -> None:
    found = surface.surface()
    names = {(method.owner, method.name) for method in found.methods}
    public = {name for name in vars(asyncio.AbstractEventLoop) if not name.startswith("_")}
    assert {name for owner, name in names if owner == "loop"} >= public
    assert {("transport", "sendto"), ("transport", "writelines"), ("handle", "when")} <= names
    (create_server,) = (m for m in found.methods if m.name == "create_server")
    assert {"host", "backlog", "ssl", "start_serving"} <= set(create_server.parameters)


def test_cases_of_the_suite_are_found() -> None:
    found = surface.surface()
    (call_soon,) = (m for m in found.methods if m.name == "call_soon")
    assert "SOON-001.three" in found.of(call_soon).about
    assert "SOON-001.three" in found.of(call_soon, "*args").by
    assert found.of(call_soon, "no such parameter").by == set()
