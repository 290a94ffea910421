"""Every kind of failure, by name: a failures.csv holds no other."""

from __future__ import annotations

from collections.abc import Iterable

# Of fetching a source. The first is for what is none of the others, and in `hgfn retry` for all.
DOWNLOAD_KINDS = (
    "download_failed",
    "private",
    "removed",
    "geo_blocked",
    "bot_check",
    "network",
)
# Of reading a medium or a text.
MEDIA_KINDS = (
    "missing_file",
    "not_an_image",
    "truncated",
    "too_large",
    "no_video_stream",
    "no_audio_stream",
    "no_frames",
    "decode_failed",
    "empty_text",
    "long_text",
)
# Of what a network made of it.
FEATURE_KINDS = ("not_finite",)
KINDS = (*DOWNLOAD_KINDS, *MEDIA_KINDS, *FEATURE_KINDS)


def check_kinds(kinds: Iterable[str]) -> None:
    """Raise ValueError that lists the kinds if one of `kinds` is unknown."""
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"unknown kind of failure {kind!r}; allowed: {', '.join(KINDS)}")
