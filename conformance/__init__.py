"""Which promises of asyncio a loop keeps: rules, cases, verdicts, and the runner between them."""
