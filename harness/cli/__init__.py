"""The `bench` command. The only place that may import every room, and only inside functions:
a command pays for what it uses, so that `bench --help` stays instant."""

from __future__ import annotations

from loopgauge.harness.cli.group import BenchGroup, CommandEntry

COMMANDS = {
    "run": CommandEntry(
        "loopgauge.harness.cli.run:run",
        "Measure event loops.",
        "bench run throughput --quick",
    ),
    "gate": CommandEntry(
        "loopgauge.harness.cli.gate:gate",
        "Say whether a change makes a loop slower or breaks it.",
        "bench gate --base origin/main",
    ),
    "list": CommandEntry(
        "loopgauge.harness.cli.list:list_command",
        "Show the loops, scenarios and runs there are.",
        "bench list loops",
    ),
    "report": CommandEntry(
        "loopgauge.harness.cli.report:report",
        "Make a report from result files.",
        "bench report latest --open",
    ),
    "site": CommandEntry(
        "loopgauge.harness.cli.site:site",
        "Build a static site over many runs.",
        "bench site .bench --out site",
    ),
    "import": CommandEntry(
        "loopgauge.harness.cli.importing:import_results",
        "Make run files of the results of pyperf and Google Benchmark.",
        "bench import google.json",
    ),
    "history": CommandEntry(
        "loopgauge.harness.cli.history:history",
        "Show trends over stored runs, and where they changed.",
        "bench history sleep0",
    ),
    "compare": CommandEntry(
        "loopgauge.harness.cli.compare:compare",
        "Compare two results, or two loops of one.",
        "bench compare latest~1 latest",
    ),
    "conformance": CommandEntry(
        "loopgauge.harness.cli.conformance:conformance",
        "Say which promises of asyncio a loop keeps.",
        "bench conformance --loop uvloop",
    ),
    "validate": CommandEntry(
        "loopgauge.harness.cli.validate:validate",
        "Check a loop of your own: promises, next steps, speed.",
        "bench validate my_pkg:new_event_loop",
    ),
    "repro": CommandEntry(
        "loopgauge.harness.cli.repro:repro",
        "Print a stand-alone script of one conformance case.",
        "bench repro SOON-001.three --loop uvloop",
    ),
    "load": CommandEntry(
        "loopgauge.harness.cli.load:load",
        "Put load on a server of your own, and verify every byte.",
        "bench load 8000 --rate 20000",
    ),
    "explain": CommandEntry(
        "loopgauge.harness.cli.explain:explain",
        "Show where the time of one operation goes.",
        "bench explain sleep0 --loop epoll --loop uvloop",
    ),
    "doctor": CommandEntry(
        "loopgauge.harness.cli.doctor:doctor",
        "Say what makes this machine noisy or is missing, and the cure.",
        "bench doctor",
    ),
}

main = BenchGroup(
    "bench",
    COMMANDS,
    help="The test bench for asyncio event loops: which is fastest, at what, and how sure are you.",
)
