"""Hierarchical multimodal fusion with dynamic multi-task learning, from raw media to metrics."""
