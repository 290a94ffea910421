"""Samples to feature files: cached a sample at a time, packed once."""
