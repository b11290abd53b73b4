"""The deterministic tier: what an operation takes, counted instead of timed.

For each benchmark and loop there are processes of their own, one per way of counting (`plan.How`).
Each does the same work in two sizes; the difference quotient of the two totals is the figure, and
what starting, stopping and warming up take cancels.
"""
