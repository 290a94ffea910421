"""Clips from the web: the requested seconds of each, complete or absent with a reason."""
