"""What the pages show, and a project in which it can be tried."""
