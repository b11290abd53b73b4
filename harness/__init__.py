"""How it is measured: schedule, workers, statistics, result files."""
