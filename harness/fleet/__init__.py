"""Many machines: where work runs when it does not run here. Dask connects them, and is imported by
nobody who does not ask for it."""
