"""What is measured: the built-in loop, and how every other loop is made."""
