"""What no medium may exceed, whoever made it."""

from __future__ import annotations

# 89 million: what Pillow itself warns at, and more than twice 8K; 256 MiB once decoded to RGB.
MAX_PIXELS = 1024**3 // 4 // 3
