"""The memory tier: what a benchmark makes its process hold, in processes that do nothing else.

`resident` reads the kernel's figures, `worker` is the process, `figures` makes metrics of what it
says, `tier` is the step of a run.
"""
