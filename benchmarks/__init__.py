"""Speed of the methods as ratios measured in one run: `python -m benchmarks`."""
