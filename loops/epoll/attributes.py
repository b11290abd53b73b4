"""CPython's attributes of a loop, without running CPython's three constructors for each.

BaseEventLoop, BaseSelectorEventLoop and the Unix loop set about twenty attributes, make two weak
containers, read the clock's resolution and (3.14) open and close a pidfd: 10 us, more than
creating, running and closing the rest of a loop. One loop is constructed by CPython and looked at:
what is immutable becomes a default of the class, what is an empty container is made when it is
first asked for. So the running version's own constructor still says what there is.
"""

from __future__ import annotations

import collections
import functools
import weakref
from typing import Any

_IMMUTABLE = (type(None), bool, int, float, str, bytes, tuple)
_CONTAINERS = (dict, list, set, collections.deque, weakref.WeakSet, weakref.WeakValueDictionary)


def adopt_defaults(cls: type, constructed: Any, own: frozenset[str]) -> bool:
    """Gives `cls` the attributes of `constructed`, but for those named in `own`.

    False, with `cls` unchanged, if one is neither immutable nor an empty container nor a stateless
    object of asyncio: then only the constructor can make it.
    """
    defaults: dict[str, Any] = {}
    for name, value in vars(constructed).items():
        if name in own:
            continue
        if isinstance(value, _IMMUTABLE):
            defaults[name] = value
        elif _is_made_by_its_type(value):
            defaults[name] = _on_demand(type(value))
        else:
            return False
    for name, value in defaults.items():
        setattr(cls, name, value)
        if isinstance(value, functools.cached_property):
            value.__set_name__(cls, name)
    return True


def _is_made_by_its_type(value: Any) -> bool:
    if type(value) in _CONTAINERS:
        return len(value) == 0
    return type(value).__module__.startswith("asyncio.") and not getattr(value, "__dict__", None)


def _on_demand(kind: type) -> functools.cached_property[Any]:
    return functools.cached_property(lambda loop: kind())
