"""Which ways of counting work on an interpreter, and what to do about those that do not."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from loopgauge.harness import environment
from loopgauge.harness.errors import InterpreterUnusable

UNDER = ("-P", "-m", "loopgauge.harness.deterministic.under")
ANSWER_S = 180.0  # both tools are tried
NEEDED_FOR = {"callgrind": "instructions", "strace": "system calls"}


@dataclass(frozen=True)
class Tool:
    version: str = ""  # "valgrind 3.19.0"; "" where it does not work
    reason: str = ""  # why it does not
    cure: str = ""


NO_TOOL = Tool(version="none needed")


def ask(executable: str) -> dict[str, Tool]:
    """By way of counting. Raises InterpreterUnusable."""
    try:
        answer = subprocess.run(
            [executable, *UNDER, "--tools"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=True,
            env=environment.worker_environment(hash_seed=0, padding=0),
        )
        facts = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        raise InterpreterUnusable(f"{executable} cannot count: {error}") from error
    return {how: Tool(**fact) for how, fact in facts.items()}


def missing(tools: dict[str, Tool]) -> list[str]:
    """One line for each tool that does not work: what is lost, why, and the cure."""
    return [
        f"no {NEEDED_FOR[how]}: {tool.reason}. {tool.cure}"
        for how, tool in tools.items()
        if not tool.version
    ]
