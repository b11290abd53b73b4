"""`python -m loopgauge.harness.schema` writes the schema anew."""

from __future__ import annotations

from loopgauge.harness import schema

schema.PATH.write_text(schema.text())
print(schema.PATH)
