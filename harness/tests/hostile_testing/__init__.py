"""A worker of a fleet that has been taken over: `dask worker --preload .../worker.py`, with what it
does in LOOPGAUGE_TEST_LIE."""
