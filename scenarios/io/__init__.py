"""The io family: bytes through sockets and pipes, against a generator in a process of its own."""

from __future__ import annotations

from loopgauge.scenarios.io import (
    backpressure,
    bulk,
    connections,
    descriptors,
    echo,
    files,
    handshakes,
    http,
    messages,
    names,
    open_loop,
    spawning,
    udp,
    websocket,
)
from loopgauge.scenarios.model import Scenario

# In the order of the catalogue, which is the order of tables and reports.
SCENARIOS: tuple[type[Scenario], ...] = (
    echo.TcpEcho,
    messages.TcpPipelined,
    bulk.TcpBulk,
    messages.TcpReadline,
    echo.SplitWrite,
    messages.Writelines,
    connections.AcceptRate,
    connections.ConnectRate,
    connections.ConnectionMemory,
    descriptors.AddReaderChurn,
    descriptors.IdleFds,
    udp.UdpEcho,
    udp.UdpFlood,
    messages.UnixEcho,
    bulk.PipeThroughput,
    spawning.SubprocessSpawn,
    spawning.SubprocessPipe,
    files.Sendfile,
    names.GetaddrinfoLiteral,
    names.GetaddrinfoLocalhost,
    handshakes.TlsHandshake,
    handshakes.StartTls,
    open_loop.OpenLoopLatency,
    http.HttpAiohttp,
    http.HttpUvicorn,
    websocket.WebsocketBroadcast,
    backpressure.StreamsBackpressure,
    echo.EchoBesideBusyThread,
    echo.ConnectionFairness,
    files.FileReadExecutor,
    files.FileCopy,
)
