"""Users' own async benchmarks in pytest: what stands behind the fixture `loop_benchmark`.

`harness/pytest_plugin.py` holds the hooks and nothing heavy, since pytest imports it wherever
loopgauge is installed. What is here is imported when the first benchmark is collected.
"""
