"""The io family: bytes through sockets and pipes, against a generator in a process of its own."""

from __future__ import annotations

from loopgauge.scenarios.io import (
    bulk,
    connections,
    echo,
    http,
    names,
    open_loop,
    spawning,
    udp,
)
from loopgauge.scenarios.model import Scenario

# In the order of the catalogue, which is the order of tables and reports.
SCENARIOS: tuple[type[Scenario], ...] = (
    echo.TcpEcho,
    bulk.TcpBulk,
    echo.SplitWrite,
    connections.AcceptRate,
    connections.ConnectRate,
    connections.ConnectionMemory,
    udp.UdpEcho,
    bulk.PipeThroughput,
    spawning.SubprocessSpawn,
    names.GetaddrinfoLiteral,
    open_loop.OpenLoopLatency,
    http.HttpAiohttp,
    http.HttpUvicorn,
    echo.EchoBesideBusyThread,
    echo.ConnectionFairness,
)
