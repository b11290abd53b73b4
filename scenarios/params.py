"""Typed parameters of a scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class BadParam(ValueError):
    """A parameter that the scenario does not have, or a value that it does not take."""


@dataclass(frozen=True)
class Param:
    """One parameter.

    values: for str and bool everything it takes; for numbers the values worth a sweep, the
        smallest of which is the smallest allowed.
    help: one line, with the unit where there is one.
    closed: nothing but `values` is taken, for numbers too.
    """

    name: str
    type: type
    default: Any
    values: tuple[Any, ...]
    help: str
    closed: bool = False

    def parse(self, value: object) -> Any:
        """`value` as this parameter's type: typed already, or text of a command line.

        Raises BadParam.
        """
        parsed = self._typed(value)
        if self.type in (int, float) and not self.closed:
            if not parsed >= min(self.values):
                raise BadParam(f"{self.name} is {value!r}; it must be at least {min(self.values)}")
        elif parsed not in self.values:
            choices = ", ".join(self.format(choice) for choice in self.values)
            raise BadParam(f"{self.name} is {value!r}; it takes {choices}")
        return parsed

    def format(self, value: Any) -> str:
        """`value` as it stands in a benchmark id."""
        return str(value).lower() if self.type is bool else str(value)

    def _typed(self, value: object) -> Any:
        if type(value) is self.type:
            return value
        text = str(value)
        try:
            if self.type is bool:
                return _boolean(text)
            return self.type(text)
        except ValueError:
            raise BadParam(f"{self.name} takes {self.type.__name__}, not {value!r}") from None


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)
