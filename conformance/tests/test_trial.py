"""What `Trial.raises` makes of an exception that is not the wanted one."""

from __future__ import annotations

import asyncio

import pytest

from loopgauge.conformance.trial import Mismatch, Trial


class Lacking(asyncio.SelectorEventLoop):
    """Has no stop(), and an add_reader() that fails for want of a private attribute."""

    def __getattribute__(self, name: str) -> object:
        if name in ("stop", "_mistyped"):
            raise AttributeError(f"no {name}", name=name, obj=self)
        return super().__getattribute__(name)

    def add_reader(self, *args: object) -> None:
        self._mistyped.add(args)


def test_another_exception_is_a_mismatch() -> None:
    trial = Trial(Lacking)
    with (
        pytest.raises(Mismatch, match="wanted TypeError, observed ValueError"),
        trial.raises(TypeError),
    ):
        raise ValueError("other")


def test_a_method_that_the_loop_lacks_is_none() -> None:
    trial = Trial(Lacking)
    with pytest.raises(AttributeError, match="no stop"), trial.raises(TypeError):
        trial.loop.stop()
    trial.close()


def test_a_private_attribute_that_the_loop_lacks_is_one() -> None:
    trial = Trial(Lacking)
    with (
        pytest.raises(Mismatch, match="observed AttributeError: no _mistyped"),
        trial.raises(TypeError),
    ):
        trial.loop.add_reader(0, print)
    trial.close()
