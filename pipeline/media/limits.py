"""What no medium may exceed, whoever made it."""

from __future__ import annotations

# 89 million: what Pillow itself warns at, and more than twice 8K; 256 MiB once decoded to RGB.
MAX_PIXELS = 1024**3 // 4 // 3

# More than their pixels take in any format that is read; a photo's file is held whole.
MAX_PHOTO_BYTES = 2**30

# Three hours at 48 kHz; 2 GiB while they are resampled.
MAX_SAMPLES = 2**29
# Resampling from a lower rate would make seconds of sound from each byte.
SAMPLE_RATES = (1_000, 768_000)
