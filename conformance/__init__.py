"""Which promises of asyncio a loop keeps."""
