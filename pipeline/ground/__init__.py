"""What all other modules build on: paths, failures, atomic writes, processes, stage commands."""
