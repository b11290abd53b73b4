"""What is made of the result files of conformance runs."""
