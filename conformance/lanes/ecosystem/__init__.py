"""Small real programs over libraries that people use: does the loop carry them?"""
