"""Why a sample's source could not be fetched, by name."""

from __future__ import annotations

# The first is also for what is none of the others, and stands for all of them in `hgfn retry`.
DOWNLOAD_KINDS = (
    "download_failed",
    "private",
    "removed",
    "geo_blocked",
    "bot_check",
    "network",
)
