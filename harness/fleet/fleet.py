"""Hosts of a cluster, and calls to them.

Dask decides when and where a call runs, and runs it again when its worker dies. What is done here
is what Dask cannot know: which workers are one host, that one machine measures one thing at a time,
and that a worker which comes back under another address is still the same host.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from loopgauge.harness.errors import FleetError
from loopgauge.harness.fleet.calls import Calls
from loopgauge.harness.fleet.delivery import Equipped, equip, over
from loopgauge.harness.fleet.hosts import Host, LeftOut
from loopgauge.harness.fleet.place import Place
from loopgauge.harness.fleet.roll_call import require_one, roll_call
from loopgauge.harness.fleet.wheels import Goods, goods_of

if TYPE_CHECKING:
    from loopgauge.harness.fleet.connection import Connection

PATIENCE_S = 60.0  # for a host without a worker


class Fleet:
    def __init__(
        self, hosts: list[Host], left_out: list[LeftOut], calls: Calls, connection: Connection
    ) -> None:
        self.hosts = hosts
        self.left_out = left_out
        self._calls = calls
        self._connection = connection

    def submit(
        self, hosts: Sequence[Host], function: str, payload: bytes, *, exclusive: bool
    ) -> Future[bytes]:
        """Calls `module:function` with `payload` on any one of these hosts. Exclusive: with nothing
        else of ours on its machine. The future raises HostLost, SchedulerLost or CallFailed;
        cancelling it ends what runs."""
        return self._calls.submit(hosts, function, payload, exclusive=exclusive)

    def call(self, host: Host, function: str, payload: bytes, *, exclusive: bool) -> bytes:
        """The same, waited for. Ctrl-C ends what runs there."""
        future = self.submit([host], function, payload, exclusive=exclusive)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def equip(self, host: Host, goods: Goods) -> Equipped:
        """One more environment there, with these goods in front of what its worker's own Python
        can import; the Python in it can be given in an order. Raises CallFailed in the words of the
        host, HostLost, and SchedulerLost."""
        return equip(host, goods, over(self._connection))


@contextlib.contextmanager
def open_fleet(
    place: Place,
    told: Callable[[str], None] = lambda line: None,
    *,
    patience_s: float = PATIENCE_S,
) -> Iterator[Fleet]:
    """`told` is given what happens to workers, a line each, from other threads. Raises NoScheduler,
    NoHost, BadWheel, or FleetError where Dask is not installed."""
    goods_of(
        place.wheels, place.index
    )  # what is wrong with them is said before anybody is bothered
    with connected(place) as connection:
        session = secrets.token_hex(8)
        hosts, left_out, seen = roll_call(connection, session, place, told)
        require_one(hosts, left_out, place)
        calls = Calls(connection, session, hosts, seen, place, told, patience_s)
        try:
            yield Fleet(hosts, left_out, calls, connection)
        finally:
            calls.close()


def connected(place: Place) -> contextlib.AbstractContextManager[Connection]:
    try:
        from loopgauge.harness.fleet import connection
    except ImportError as error:
        raise FleetError(
            f"--on needs Dask, which cannot be imported here ({error})",
            "Install it with: pip install 'loopgauge[fleet]'",
        ) from error
    return connection.connected(place)
