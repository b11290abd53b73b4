"""A stand-alone script of one case: the case, what it uses of the kit, and a main that runs it.

The script needs nothing of this project. It is cut out of the sources by their syntax trees: from
the case's function on, every name that belongs to a module of the suite is followed.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from textwrap import wrap

from loopgauge.conformance.case import Case
from loopgauge.conformance.runner.messages import Target

#: What the beginnings of a rule's sources stand for.
CITED = {
    "docs ": "asyncio's documentation,",
    "T:": "CPython's test",
    "S:": "CPython's source",
    "eco:": "popular libraries:",
}

PACKAGE = "loopgauge.conformance."
TRIAL = PACKAGE + "trial"

MAIN = """\
if __name__ == "__main__":
    import importlib
    import operator

    module, _, attribute = FACTORY.partition(":")
    make = operator.attrgetter(attribute)(importlib.import_module(module))
    trial = Trial(lambda: make(*ARGUMENTS), FACTORY, ARGUMENTS)
    try:
        with watching(trial):
            try:
                {call}
            finally:
                trial.close()
                trial.collect()
    finally:
        for what, wanted, observed in trial.observations:
            print(f"{{what}}\\n    wanted   {{wanted}}\\n    observed {{observed}}")
        for name, value in trial.notes.items():
            print(f"{{name}}: {{value}}")
        for line in trial.log_messages():
            print("logged:", line)
        for line in trial.unraisable:
            print("raised where nobody can catch it:", line)
        for seen in trial.warnings:
            print("warned:", seen.category.__name__, seen.message)
"""


class CannotCut(Exception):
    """A case uses something in a way that cannot be cut out; a fault of the suite."""


def script(case: Case, target: Target) -> str:
    """The source of the script, for loops of `target`."""
    cut = _Cut()
    module = case.body.__module__
    for name in ("Trial", "watching"):
        cut.take(TRIAL, name)
    cut.take(module, case.body.__name__)
    call = f"{case.body.__name__}(trial{f', {case.variant!r}' if case.variant else ''})"
    parts = [
        f'"""{_heading(case)}"""',
        "from __future__ import annotations",
        "\n".join(sorted(cut.imports)),
        f"FACTORY = {target.factory!r}  # the loop under test\nARGUMENTS = {target.arguments!r}",
        *cut.pieces,
        MAIN.format(call=call),
    ]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _heading(case: Case) -> str:
    """What a reader must know who has only this file."""
    rule = case.rule
    paragraphs = [
        f"{case.id}: {case.description}",
        f"Expected: {case.expected}",
    ]
    if rule.id:
        paragraphs += [
            f"Rule {rule.id} ({rule.level}, since Python {rule.since}): {rule.text}",
            f"Why it matters: {rule.rationale}",
            f"Where it is written: {_cited(rule.source)}",
        ]
    text = "\n\n".join("\n".join(wrap(paragraph, 96)) for paragraph in paragraphs)
    return text.replace("\\", "\\\\").replace('"""', "'''") + "\n"


def _cited(source: str) -> str:
    """The source of a rule, with the catalogue's abbreviations written out."""
    parts = []
    for part in (part.strip() for part in source.split(";")):
        for short, words in CITED.items():
            if part == short.rstrip(": ") or part.startswith(short):
                part = f"{words} {part[len(short) :].strip()}".strip()
                break
        parts.append(part)
    return "; ".join(parts)


@dataclass
class _Cut:
    """What was taken so far: pieces of source, each after what it needs, and import statements."""

    pieces: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    _taken: dict[str, str] = field(default_factory=dict)  # name -> its source

    def take(self, module: str, name: str) -> None:
        """The top-level `name` of `module` with everything that it uses."""
        source = _module(module)
        node = source.definitions.get(name)
        if node is None:
            raise CannotCut(f"{module} has no top-level {name}")
        text = source.text(node)
        if name in self._taken:
            if self._taken[name] != text:
                raise CannotCut(f"another {name} than that of {module} is in the same script")
            return
        self._taken[name] = text
        for used in _used(module, name):
            self._follow(module, used)
        self.pieces.append(text)

    def _follow(self, module: str, name: str) -> None:
        source = _module(module)
        if name in source.definitions:
            self.take(module, name)
        elif name in source.own_imports:
            self.take(source.own_imports[name], name)
        elif name in source.imports:
            self.imports.add(source.imports[name])


@dataclass(frozen=True)
class _Module:
    """A module of the suite, taken apart. `own_imports`: names from other modules of the suite."""

    lines: list[str]
    definitions: dict[str, ast.stmt]
    imports: dict[str, str]
    own_imports: dict[str, str]

    def text(self, node: ast.stmt) -> str:
        """With the comment above it, and without decorators of this suite."""
        first = node.lineno
        decorators = getattr(node, "decorator_list", [])
        kept = [line for one in decorators if not _declares(one) for line in self._span(one)]
        above = min([node.lineno, *(one.lineno for one in decorators)]) - 1
        comments: list[str] = []
        while above > 0 and self.lines[above - 1].startswith("#"):
            above -= 1
            comments.insert(0, self.lines[above])
        return "\n".join([*comments, *kept, *self.lines[first - 1 : node.end_lineno]])

    def _span(self, node: ast.expr) -> list[str]:
        return self.lines[node.lineno - 1 : node.end_lineno]


@cache
def _module(name: str) -> _Module:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotCut(f"{name} has no source")
    text = Path(spec.origin).read_text(encoding="utf-8")
    made = _Module(text.splitlines(), {}, {}, {})
    for node in ast.parse(text).body:
        _sort(made, node)
    return made


@cache
def _used(module: str, name: str) -> tuple[str, ...]:
    """What a definition mentions, each name once: most of a script is in hundreds of others, too,
    and to walk its tree again took half of the time of a matrix."""
    return tuple(dict.fromkeys(_names(_module(module).definitions[name])))


def _sort(module: _Module, node: ast.stmt) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        module.definitions[node.name] = node
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            for name in _names(target):
                module.definitions[name] = node
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        module.definitions[node.target.id] = node
    elif isinstance(node, ast.Import):
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            module.imports[bound] = f"import {_alias(alias)}"
    elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
        for alias in node.names:
            bound = alias.asname or alias.name
            if node.module and node.module.startswith(PACKAGE):
                module.own_imports[bound] = node.module
            else:
                module.imports[bound] = f"from {node.module} import {_alias(alias)}"


def _alias(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _names(node: ast.AST) -> Iterator[str]:
    """Names that occur in `node`, without what only decorators of this suite mention."""
    if isinstance(node, ast.Name):
        yield node.id
    for child in ast.iter_child_nodes(node):
        if not _declares(child):
            yield from _names(child)


def _declares(node: ast.AST) -> bool:
    """Whether this is `@case(...)`, or a call of it."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "case"
