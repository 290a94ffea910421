"""Words of the sample's texts: neutral ones, and those of each class or cue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words of one subject, by their place in a clause."""

    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]


def _words(adjectives: str, nouns: str, verbs: str) -> Words:
    return Words(tuple(adjectives.split()), tuple(nouns.split()), tuple(verbs.split()))


NEUTRAL = _words(
    "local early late small busy long young open",
    "people morning area road week town place group story friend market evening",
    "see hear say watch follow find look remember",
)

# Words of each humanitarian class.
CLASSES = {
    "affected_individuals": _words(
        "displaced homeless", "families evacuees refugees residents", "evacuate flee"
    ),
    "infrastructure_and_utility_damage": _words(
        "collapsed powerless", "bridge highway powerline rooftops", "collapse flatten"
    ),
    "injured_or_dead_people": _words(
        "injured fatal", "casualties deaths bodies hospital", "kill mourn"
    ),
    "missing_or_found_people": _words(
        "missing reunited", "daughter grandmother brother whereabouts", "search identify"
    ),
    "not_humanitarian": _words("funny awesome", "concert selfie playlist football", "dance giggle"),
    "other_relevant_information": _words(
        "tropical meteorological", "forecast magnitude satellite category", "predict announce"
    ),
    "rescue_volunteering_or_donation_effort": _words(
        "generous charitable", "donations volunteers fundraiser supplies", "donate rescue"
    ),
    "vehicle_damage": _words("crushed overturned", "trucks vehicle windshield van", "crash skid"),
}

# Remarks on the damage.
SEVERITY = {
    "severe_damage": ("devastated", "destroyed", "ruined", "catastrophic"),
    "mild_damage": ("cracked", "repairable", "partly", "dented"),
    "little_or_no_damage": ("intact", "unharmed", "minor", "spared"),
}

# Words of a clip's description, by cue.
CLIP_CUES = {
    "relief": _words("donated humanitarian", "parcels blankets rations", "distribute unload"),
    "ruin": _words("destroyed shattered", "rubble debris wreckage", "crumble demolish"),
    "injury": _words("injured bleeding", "patients stretcher wounds", "suffer hospitalise"),
    "official": _words("official federal", "governor spokesman press", "announce brief"),
}

USERS = ("newsdesk", "anna_m", "stormwatch", "cityhall", "jroman", "weather_now", "redcross_fan")
