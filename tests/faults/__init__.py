"""Experiments on kills, full disks and damaged files: `python -m tests.faults`."""
