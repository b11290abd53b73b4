"""Which cases exercise which method and parameter of asyncio's interface.

Read off the cases' sources: from the body on, every function and class of the suite that it uses is
followed. Python does not say what an expression is, so names decide: `loop`, `get_running_loop()`
and their like are loops, what is called `...transport` is a transport, and a method that only one
kind of object has belongs to it whatever the object is called.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType
from typing import Any

from loopgauge.conformance.case import Case, all_cases
from loopgauge.conformance.catalogue import areas

PACKAGE = "loopgauge.conformance."

#: What there is, by the word that stands for it; the first class with a method has its signature.
OWNERS: dict[str, tuple[type, ...]] = {
    "loop": (asyncio.AbstractEventLoop, asyncio.SelectorEventLoop),
    "handle": (asyncio.TimerHandle,),
    "server": (asyncio.Server, asyncio.AbstractServer),
    "transport": (
        asyncio.Transport,
        asyncio.DatagramTransport,
        asyncio.SubprocessTransport,
    ),
}
#: Public methods that are not part of the documented interface, or are no method of the object.
_NO_METHODS = frozenset({"slow_callback_duration"})
#: Parameters that are documented, and hidden behind **kwargs by every class.
_HIDDEN = {"create_task": ("name", "context", *(["eager_start"] * (sys.version_info >= (3, 14))))}
_RECEIVERS = {
    "loop": re.compile(r"loop$|^running$|^get_running_loop$|^get_event_loop$|factory$"),
    "transport": re.compile(r"transport"),
    "server": re.compile(r"server"),
    "handle": re.compile(r"handle|timer"),
}
#: Names that objects outside asyncio have, too: only a known receiver makes them count.
_COMMON = frozenset(
    {"abort", "cancel", "cancelled", "close", "kill", "sendto", "terminate"}
    | {"time", "stop", "when", "write", "writelines"}
)


@dataclass(frozen=True)
class Method:
    """`parameters`: by name, in order, without `self`; "*args" and "**kwargs" with their stars."""

    owner: str
    name: str
    parameters: tuple[str, ...]


@dataclass
class Exercised:
    """Ids of cases. `by`: those that use it at all; `about`: those whose rule names it, so that a
    failure of theirs is held against it."""

    by: set[str] = field(default_factory=set)
    about: set[str] = field(default_factory=set)


@dataclass
class Surface:
    """`uses`: by (owner, method, parameter); the method itself has the parameter ""."""

    methods: list[Method]
    uses: dict[tuple[str, str, str], Exercised]

    def of(self, method: Method, parameter: str = "") -> Exercised:
        return self.uses.get((method.owner, method.name, parameter), Exercised())


@cache
def surface() -> Surface:
    """Of the running Python's asyncio, over all cases."""
    found = Surface([*_methods()], {})
    for case in all_cases().values():
        words = _named(case)
        for owner, name, parameters in _exercised(case):
            about = name in words
            _add(found, (owner, name, ""), case, about=about)
            for parameter in parameters:
                _add(found, (owner, name, parameter), case, about=about and parameter in words)
    return found


def _add(found: Surface, key: tuple[str, str, str], case: Case, *, about: bool) -> None:
    exercised = found.uses.setdefault(key, Exercised())
    exercised.by.add(case.id)
    if about:
        exercised.about.add(case.id)


def _named(case: Case) -> frozenset[str]:
    """What the rule is about, in its own words; where it names no method, those of its area."""
    words = frozenset(re.findall(r"\w+", case.rule.text))
    names = {method.name for method in _methods()}
    if words & names:
        return words
    return words | (frozenset(re.findall(r"\w+", areas()[case.rule.area].title)) & names)


@cache
def _methods() -> tuple[Method, ...]:
    made = []
    for owner, classes in OWNERS.items():
        names = {n for kind in classes for n in dir(kind) if not n.startswith("_")}
        for name in sorted(names - _NO_METHODS):
            found = [getattr(kind, name) for kind in classes if hasattr(kind, name)]
            functions = [one for one in found if callable(one)]
            if functions:
                parameters = (*_parameters(functions), *_HIDDEN.get(name, ()))
                made.append(Method(owner, name, tuple(dict.fromkeys(parameters))))
    return tuple(made)


@cache
def _known() -> dict[tuple[str, str], Method]:
    return {(method.owner, method.name): method for method in _methods()}


def _parameters(functions: list[Any]) -> tuple[str, ...]:
    """Of all the classes that have it: the abstract one often hides options behind **kwargs. What
    has no default has its name from the first."""
    names: dict[str, str] = {}
    for function in functions:
        for parameter in [*inspect.signature(function).parameters.values()][1:]:
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            if function is not functions[0] and parameter.default is parameter.empty:
                continue
            star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
            names.setdefault(parameter.name, star + parameter.name)
    return tuple(names.values())


def _exercised(case: Case) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(owner, method, parameters) of everything that the body reaches."""
    reached = [_facts(thing) for thing in _reached(case.body)]
    keywords = frozenset().union(*(facts.keywords for facts in reached))
    variant = case.variant.replace("-", "_")
    for facts in reached:
        for used in facts.uses:
            more = keywords.intersection(used.method.parameters) if used.expands else frozenset()
            yield used.method.owner, used.method.name, used.parameters | more
        for owner in facts.by_variant:
            if (owner, variant) in _known():
                yield owner, variant, frozenset()


@dataclass(frozen=True)
class _Use:
    """`expands`: some parameters come in by `**`, under names that stand elsewhere."""

    method: Method
    parameters: frozenset[str] = frozenset()
    expands: bool = False


@dataclass
class _Facts:
    """What one function or class does. `by_variant`: objects of which it takes a method whose name
    it does not spell out."""

    uses: list[_Use] = field(default_factory=list)
    keywords: set[str] = field(default_factory=set)
    by_variant: set[str] = field(default_factory=set)
    follows: list[FunctionType | type] = field(default_factory=list)


@cache
def _facts(thing: FunctionType | type) -> _Facts:
    found = _Facts()
    names = _globals(thing)
    for node in ast.walk(_tree(thing)):
        if isinstance(node, ast.Call):
            found.keywords.update(keyword.arg for keyword in node.keywords if keyword.arg)
            _call(node, found)
        elif isinstance(node, ast.Attribute):
            method = _method(node)
            if method is not None:
                found.uses.append(_Use(method))
        elif isinstance(node, ast.Name):
            used = names.get(node.id)
            if isinstance(used, FunctionType | type) and _ours(used):
                found.follows.append(used)
    return found


def _call(node: ast.Call, found: _Facts) -> None:
    """The call of a method; or of something that is given a method and its arguments, such as
    functools.partial; or getattr(loop, name)."""
    arguments = node.args
    function: ast.expr = node.func
    if isinstance(function, ast.Name) and function.id == "getattr" and len(arguments) >= 2:
        owner, name = _owner(arguments[0]), _literal(arguments[1])
        if owner is not None and not name:
            found.by_variant.add(owner)
        elif owner is not None and (owner, name) in _known():
            found.uses.append(_Use(_known()[owner, name]))
        return
    method = _method(function)
    while method is None and arguments:
        function, arguments = arguments[0], arguments[1:]
        method = _method(function)
    if method is not None:
        given = frozenset(_given(method, arguments, node.keywords))
        expands = any(keyword.arg is None for keyword in node.keywords)
        found.uses.append(_Use(method, given, expands))


def _given(method: Method, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Iterator[str]:
    """The parameters that a call gives a value."""
    for number, argument in enumerate(arguments):
        if isinstance(argument, ast.Starred):
            break
        taken = method.parameters[: number + 1]
        rest = next((name for name in taken if name.startswith("*")), "")
        if rest or len(taken) == number + 1:
            yield rest or taken[-1]
    names = [keyword.arg for keyword in keywords]
    yield from (name for name in method.parameters if name in names)


def _method(node: ast.expr) -> Method | None:
    known = _known()
    if not isinstance(node, ast.Attribute):
        return None
    owner = _owner(node.value)
    if owner is not None:
        return known.get((owner, node.attr))
    if node.attr in _COMMON:
        return None
    owners = [owner for owner in OWNERS if (owner, node.attr) in known]
    return known[owners[0], node.attr] if len(owners) == 1 else None


def _owner(receiver: ast.expr) -> str | None:
    """What kind of object an expression is, going by the last name in it."""
    if isinstance(receiver, ast.Call):
        receiver = receiver.func
    if isinstance(receiver, ast.Attribute):
        name = receiver.attr
    elif isinstance(receiver, ast.Name):
        name = receiver.id
    else:
        return None
    return next((owner for owner, like in _RECEIVERS.items() if like.search(name.lower())), None)


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _reached(body: Any) -> list[FunctionType | type]:
    """A body and what it uses of the suite, each once."""
    waiting, seen = [body], {body}
    while waiting:
        for used in _facts(waiting.pop()).follows:
            if used not in seen:
                seen.add(used)
                waiting.append(used)
    return [*seen]


def _ours(thing: FunctionType | type) -> bool:
    return thing.__module__.startswith((PACKAGE + "cases.", PACKAGE + "kit."))


def _globals(thing: FunctionType | type) -> dict[str, Any]:
    if isinstance(thing, type):
        return vars(sys.modules[thing.__module__])
    names: dict[str, Any] = inspect.unwrap(thing).__globals__
    return names


@cache
def _tree(thing: FunctionType | type) -> ast.AST:
    """Without decorators: what they mention is not what the body does."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.decorator_list = []
    return tree
