"""The concepts that the paper labels its clips with."""

from __future__ import annotations

# Not exclusive of each other, in the order of Table V; a manifest may name others.
CONCEPTS = (
    "demonstration",
    "emergency_response",
    "flood_storm",
    "human_relief",
    "damage",
    "victim",
    "briefing",
)
