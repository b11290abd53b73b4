"""Generated programs on the loop and on stock asyncio: do they see the same happen?"""
