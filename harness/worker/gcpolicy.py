"""What is done about the garbage collector before a slot; the policy is recorded with the run."""

from __future__ import annotations

import gc
from typing import assert_never

from loopgauge.harness.worker.plan import GcPolicy


def begin(policy: GcPolicy) -> None:
    """Once, before the first job."""
    if policy == "off":
        gc.disable()


def before_slot(policy: GcPolicy) -> None:
    """freeze: what lives is moved out of the collector's sight, so that no slot pays for walking
    over the other arms' objects; the collector itself stays on, as users run it."""
    if policy == "freeze":
        gc.collect()
        gc.freeze()
    elif policy == "off":
        gc.collect()
    elif policy != "default":
        assert_never(policy)


def after_job(policy: GcPolicy) -> None:
    """Cycles that were frozen alive and died since would otherwise never be freed."""
    if policy == "freeze":
        gc.unfreeze()
    gc.collect()
