"""What is measured: the built-in loop, the known backends and how to find more."""
