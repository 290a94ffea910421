"""Clips from the web: the wanted seconds of each, within bounds, and why some did not come."""
