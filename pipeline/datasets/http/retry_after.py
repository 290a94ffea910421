"""How long a server asks to wait before it is asked again."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

# Seconds; who asks for more is not waited for.
LONGEST_WAIT = 300.0


def retry_after(value: str) -> float | None:
    """Read a Retry-After header, seconds or a date, in seconds from now; None for neither."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):  # a date before or behind what computers count
        return None
