"""Runs the steps of a composite action here, as GitHub's runner does: inputs filled in, `if:`
honoured, environment and outputs handed on by files. `uses:` steps are noted, not run."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|!|[()]|[A-Za-z_][\w.-]*(?:\(\))?)")
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not ", "==": "==", "!=": "!=", "(": "(", ")": ")"}
# The values of `shell: bash`, from GitHub's documentation of workflow syntax.
_BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]


def parsed(path: Path) -> dict[str, Any]:
    return parsed_text(path.read_text(encoding="utf-8"))


def parsed_text(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@dataclass
class Outcome:
    """What a whole action came to."""

    code: int = 0  # of the first step that failed
    outputs: dict[str, str] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)  # by step name
    used: dict[str, dict[str, str]] = field(default_factory=dict)  # `with:` of `uses:` steps
    summary: str = ""


class ActionRunner:
    def __init__(self, action: Path, workspace: Path, temp: Path, github: Mapping[str, Any]):
        self.action = parsed(action)
        self.workspace = workspace
        self.temp = temp
        self.github = github
        self.environment = {
            **os.environ,
            "GITHUB_ACTION_PATH": str(action.parent),
            "GITHUB_ENV": str(temp / "env"),
            "GITHUB_OUTPUT": str(temp / "output"),
            "GITHUB_STEP_SUMMARY": str(temp / "summary"),
            "GITHUB_REPOSITORY": str(github["repository"]),
            "GITHUB_REF": str(github["ref"]),
            "GITHUB_SHA": str(github["sha"]),
            "RUNNER_TEMP": str(temp),
        }
        for name in ("env", "output", "summary"):
            (temp / name).write_text("")

    def run(self, inputs: Mapping[str, str], **environment: str) -> Outcome:
        self.environment.update(environment)
        values = {name: about.get("default", "") for name, about in self.action["inputs"].items()}
        assert set(inputs) <= set(values)
        contexts: dict[str, Any] = {"github": self.github, "inputs": {}, "steps": {}}
        contexts["inputs"] = {
            name: filled(text, contexts) for name, text in {**values, **inputs}.items()
        }
        outcome = Outcome()
        for step in self.action["runs"]["steps"]:
            self._step(step, contexts, outcome)
        outcome.summary = (self.temp / "summary").read_text()
        outcome.outputs = {
            name: filled(about["value"], contexts) for name, about in self.action["outputs"].items()
        }
        return outcome

    def _step(self, step: Mapping[str, Any], contexts: dict[str, Any], outcome: Outcome) -> None:
        condition = step.get("if", "success()")
        if outcome.code and "always()" not in condition:
            return
        if not evaluated(condition, contexts):
            return
        if "uses" in step:
            outcome.used[step["uses"]] = {
                name: filled(text, contexts) for name, text in step.get("with", {}).items()
            }
            return
        assert step["shell"] == "bash"
        own = {name: filled(text, contexts) for name, text in step.get("env", {}).items()}
        folder = self.workspace / filled(step.get("working-directory", "."), contexts)
        (self.temp / "output").write_text("")
        answer = subprocess.run(
            [*_BASH, "-c", step["run"]],
            cwd=folder,
            env={**self.environment, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        outcome.printed[step["name"]] = answer.stdout
        outcome.code = outcome.code or answer.returncode
        self.environment.update(_pairs(self.temp / "env"))
        if "id" in step:
            contexts["steps"][step["id"]] = {"outputs": _pairs(self.temp / "output")}


def _pairs(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def filled(text: str, contexts: Mapping[str, Any]) -> str:
    """`text` with the value of every ${{ expression }}."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluated(found[1], contexts)), str(text))


def evaluated(expression: str, contexts: Mapping[str, Any]) -> Any:
    """Names, strings, comparisons, !, && and ||; what is not there is an empty string."""
    words, place = [], 0
    expression = expression.strip()
    while place < len(expression):
        token = _TOKEN.match(expression, place)
        assert token, f"not understood: {expression[place:]}"
        words.append(_python(token[1]))
        place = token.end()
    return eval("".join(words), {"look": lambda name: _look(name, contexts)})


def _python(token: str) -> str:
    if token in _OPERATORS:
        return _OPERATORS[token]
    if token.startswith("'"):
        return repr(token[1:-1].replace("''", "'"))
    if token in ("always()", "success()"):
        return "True"
    return f"look({token!r})"


def _look(name: str, contexts: Mapping[str, Any]) -> Any:
    value: Any = contexts
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ""
        value = value[part]
    return value
