"""Trained models for programs without torch: ONNX files, see docs/export.md."""
