"""Networks in pure torch: encoders, fusions, heads, and the network that they make up.

Nothing here reads a file, knows a data set or has global state, so that each module can be used in
another project.
"""
