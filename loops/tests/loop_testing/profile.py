"""How many examples a property-based test tries.

In the test suite: always the same ones, few enough for its place in it. `scripts/dev property`
sets LOOPGAUGE_PROPERTY_EXAMPLES: then as many, and other ones each time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

VARIABLE = "LOOPGAUGE_PROPERTY_EXAMPLES"


def examples(count: int) -> settings:
    chosen = os.environ.get(VARIABLE)
    return settings(
        max_examples=int(chosen or count),
        derandomize=chosen is None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
