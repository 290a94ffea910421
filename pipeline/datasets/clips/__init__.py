"""Clips from the web: the requested seconds of each, whole or absent, and why some are missing."""
