"""What many hosts say: words, Markdown and the page."""
