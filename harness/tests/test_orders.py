"""Orders are all that a worker process needs to know, wherever it runs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from manager_testing import runs
from manager_testing.runs import FAKE_WORKER, arm, benchmark, subject

from loopgauge.harness.isolation import Roster
from loopgauge.harness.launch import launches
from loopgauge.harness.model import Header
from loopgauge.harness.orders import Order, Orders
from loopgauge.harness.units import Recorded, pending


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Header:
    what = subject([arm("fast")], [benchmark("fake.a"), benchmark("fake.b", "process")])
    return runs.run(what, tmp_path_factory.mktemp("run") / "run.jsonl").header


def orders_of(header: Header, together: int) -> list[Order]:
    """Of the first processes of the first round that hold one arm each."""
    roster = Roster(header.arms, header.benchmarks)
    alone = [u for u in pending(header, roster, Recorded(header), 0) if u.design == "process"]
    orders = Orders(header.environment.interpreters, header.path, [0], 10.0)
    return orders.measure(header, alone[:together], [*range(1, together + 1)])


def test_an_order_survives_a_journey(header: Header) -> None:
    for order in orders_of(header, 3):
        assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order


def test_a_worker_is_started_as_ordered(header: Header) -> None:
    (order,) = orders_of(header, 1)
    with launches([order], FAKE_WORKER) as (launch,):
        assert launch.command == [order.python, *FAKE_WORKER]
        assert launch.plan == order.plan
        assert launch.environment["PYTHONHASHSEED"] == str(order.hash_seed)
        assert (launch.cpus, launch.inherited) == ([0], [])


def test_pipes_are_made_where_the_workers_are(header: Header) -> None:
    """Descriptors mean nothing elsewhere, so an order names the arm alone."""
    orders = orders_of(header, 2)
    labels = [order.turns for order in orders]
    assert all("turns" not in order.plan for order in orders)
    with launches(orders, FAKE_WORKER) as made:
        for launch, own, other in zip(made, labels, reversed(labels), strict=True):
            turns = launch.plan["turns"]
            assert list(turns["outbound"]) == [other]
            assert launch.inherited == [turns["inbound"], turns["outbound"][other]]
            assert own != other
        opened = [fd for launch in made for fd in launch.inherited]
        assert all(Path(f"/proc/self/fd/{fd}").is_symlink() for fd in opened)
    assert not any(Path(f"/proc/self/fd/{fd}").is_symlink() for fd in opened)
