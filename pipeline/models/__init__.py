"""Networks in pure torch: encoders, fusions, heads and the glue between them.

Nothing here reads a file, knows a data set or keeps global state; each module can be carried away.
"""
