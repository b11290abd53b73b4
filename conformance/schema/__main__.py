"""`python -m loopgauge.conformance.schema` writes the schema anew."""

from __future__ import annotations

from loopgauge.conformance import schema

schema.PATH.write_text(schema.text(), encoding="utf-8")
print(schema.PATH)
