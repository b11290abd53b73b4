"""A backend whose extension is broken."""

raise ImportError("undefined symbol: uv_loop_init")
