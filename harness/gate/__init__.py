"""The merge check: base against head on one machine, in one job.

Steps, each with a file of its own in the gate's folder, so that every one can be resumed, reported
and replayed by itself: what the head promises (`promises`), what an operation takes (`counting`),
how long it takes (`timing`, in two stages). What follows from the files is worked out by `decision`
and by nobody else: a gate that was interrupted, and one that is replayed, come to the same verdict.
"""
