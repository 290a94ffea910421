"""The item cache in memory, for posts of which nothing may be kept."""

from __future__ import annotations

from pipeline.features.cache import Entry, ItemCache


class MemoryCache(ItemCache):
    """Entries of this process, until they are cleared."""

    def __init__(self) -> None:
        self.damaged = 0
        self._entries: dict[str, Entry] = {}

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, or None if there is none."""
        return self._entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry under a key."""
        self._entries[key] = entry

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()

    def __str__(self) -> str:
        return "memory"

    def clean(self) -> None:
        """Do nothing: no writer leaves a temporary file here."""

    def _drop(self, key: str) -> None:
        self._entries.pop(key, None)
