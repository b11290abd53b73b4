"""One exporter per file: CSV, Markdown, images."""
