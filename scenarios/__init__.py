"""What is done to a loop: one file per family."""
