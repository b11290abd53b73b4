"""What is done to a loop: a package or file per family, a class per scenario."""
