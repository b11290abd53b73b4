"""Plots as SVG and PNG; matplotlib draws, a page or a file carries them."""
