"""The history: summaries of many runs, of many machines, in one store.

It is for trends and never gates anything: a stored figure of another day cannot be compared with
today's on a noisy machine (that is what the interleaved gate is for). `model.py` says what is kept,
`entries.py` makes it of a run file, `sql.py` keeps it, `steps.py` looks for changes.
"""
