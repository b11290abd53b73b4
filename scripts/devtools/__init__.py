"""What scripts/dev, scripts/bench and scripts/test do. Standard library only: it runs first."""
