"""A fleet in a terminal: whether it holds everywhere, and no ranking where it does not."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fleets_testing import Host, write_fleet

from loopgauge.harness.cli.console import PlainConsole
from loopgauge.harness.cli.fleet_table import print_fleet
from loopgauge.harness.fleet.across import FleetSummary, summarise_fleet
from loopgauge.harness.fleet.folder import read_fleet
from loopgauge.harness.summary import summarise
from loopgauge.reports.fleet import words

KEYS = [f"{number:08x}" for number in range(1, 9)]
EVIL = "\x1b[31m[bold]<b>evil\n|x"


def summary(folder: Path, *hosts: Host) -> FleetSummary:
    found = read_fleet(write_fleet(folder, hosts))
    return summarise_fleet(found, {key: summarise(run) for key, run in found.runs.items()})


def shown(found: FleetSummary, width: int = 160, **more: object) -> str:
    console = PlainConsole(width=width, file=io.StringIO(), markup=False, highlight=False)
    print_fleet(found, console, **more)  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def mixed(folder: Path) -> FleetSummary:
    """Seven hosts that agree, and one on which a benchmark goes the other way."""
    hosts = [Host(key, {"epoll": 0.6}) for key in KEYS[:7]]
    return summary(folder, *hosts, Host(KEYS[7], {"epoll": 0.6, ("epoll", "timer.sleep"): 1.7}))


@pytest.mark.parametrize("width", [160, 80])
def test_the_finding_is_the_host_that_says_the_opposite(tmp_path: Path, width: int) -> None:
    text = " ".join(shown(mixed(tmp_path / "f"), width).split())
    assert "faster on 7 of 8 hosts, slower on 00000008; 00000008 at 1.70\u00d7 stands out" in text
    assert "fastest, or not separated from it: epoll on 7 hosts; asyncio on 00000008" in text
    assert text.endswith(
        "Not everywhere: in timer.sleep epoll is faster on 7 of 8 hosts, slower on 00000008"
    )
    assert "7 hosts without 1" in text
    assert "faster on all 8 hosts" in text


def test_hosts_are_called_as_the_user_calls_them(tmp_path: Path) -> None:
    text = shown(mixed(tmp_path / "f"), names={KEYS[7]: "rack-8"})
    assert "slower on rack-8" in text
    assert KEYS[7] not in text


def test_what_holds_says_so(tmp_path: Path) -> None:
    found = summary(tmp_path / "f", *(Host(key, {"epoll": 0.3}) for key in KEYS[:3]))
    assert words.headline(found, words.namer()) == (
        "It holds on all 3 hosts: every result is the same on each"
    )
    assert words.tone(found) == "good"
    (standing,) = words.standings(found)
    assert (standing.everywhere, standing.opposite, standing.of) == ({"faster": 4}, 0, 4)


def test_pythons_with_a_host_each_have_their_own_figures(tmp_path: Path) -> None:
    text = " ".join(
        shown(
            summary(
                tmp_path / "f",
                Host(KEYS[0], {"epoll": 0.3}, python="3.14.0"),
                Host(KEYS[1], {"epoll": 0.3}, python="3.9.2"),
            )
        ).split()
    )
    assert text.index("(Python 3.9, 1 host)") < text.index("(Python 3.14, 1 host)")
    assert "faster on both hosts" in text
    assert text.endswith("It holds on both hosts: every result is the same on each")


def test_a_noisy_host_makes_the_answer_advisory(tmp_path: Path) -> None:
    hosts = [Host(KEYS[0], {"epoll": 0.3}), Host(KEYS[1], {"epoll": 0.3}, twin=1.2)]
    found = summary(tmp_path / "f", *hosts)
    assert words.tone(found) == "open"
    assert words.headline(found, words.namer({KEYS[1]: "rack-2"})).endswith(
        "the same on each (advisory: rack-2 failed the self-check)"
    )


def test_what_is_not_decided_is_no_agreement(tmp_path: Path) -> None:
    found = summary(
        tmp_path / "f",
        *(Host(key, {"epoll": 0.6}) for key in KEYS[:2]),
        Host(KEYS[2], {"epoll": 0.9}, noise=0.5),
    )
    said = words.headline(found, words.namer())
    assert said.startswith("No host says the opposite of another; 0 of 4 results")
    assert words.tone(found) == "open"
    assert "not decided on 00000003" in shown(found)


@pytest.mark.parametrize(
    ("hosts", "wanted"),
    [
        ([Host(KEYS[0], {"epoll": 0.3})], "One host was measured, so nothing can be said"),
        ([Host(KEYS[0], {}, state="left_out", reason="no disk")], "Nothing was measured"),
    ],
)
def test_too_few_hosts_are_no_fleet(tmp_path: Path, hosts: list[Host], wanted: str) -> None:
    text = shown(summary(tmp_path / "f", *hosts))
    assert wanted in text
    assert "over hosts" not in text.replace("said over hosts", "")


def test_every_host_has_its_state_and_why(tmp_path: Path) -> None:
    text = shown(
        summary(
            tmp_path / "f",
            Host(KEYS[0], {"epoll": 0.3, "uvloop": 0.5}),
            Host(KEYS[1], {"epoll": 0.3, "uvloop": 0.5}, twin=1.2, without=["uvloop"]),
            Host(KEYS[2], {"epoll": 0.3, "uvloop": 0.5}, state="lost", reason="gone for 60 s"),
            Host(KEYS[3], {}, state="left_out", reason="another loopgauge"),
        )
    )
    for words_of in (
        "done, noisy: verdicts advisory",
        "LOST: gone for 60 s",
        "left out: another loopgauge",
        "none on 00000002 (unavailable: no wheel fits)",
    ):
        assert words_of in text


def test_nothing_in_a_file_reaches_the_terminal_as_it_is(tmp_path: Path) -> None:
    hosts = [
        Host(KEYS[0], {"epoll": 0.3}, cpu=EVIL),
        Host(KEYS[1], {"epoll": 0.3}),
        Host(EVIL, {}, state="left_out", reason=EVIL),
    ]
    text = shown(summary(tmp_path / "f", *hosts))
    assert "\x1b" not in text
    assert "[bold]<b>evil" in text
