"""Tables, plots and pages, made of result files only."""
