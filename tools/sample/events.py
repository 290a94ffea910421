"""The seven events of CrisisMMD: numbers of tweets, days and words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

# Twitter counts the milliseconds of an id from here (its "snowflake" epoch).
TWITTER_EPOCH = 1_288_834_974_657
DAY = 86_400_000


@dataclass(frozen=True)
class Event:
    """One disaster: the number of tweets in the real set, their days, places and hashtags."""

    name: str
    tweets: int
    first: date
    days: int
    places: tuple[str, ...]
    hashtags: tuple[str, ...]


# Tweets and days: counted in CrisisMMD v2.0's annotation files (Alam, Ofli, Imran 2018); the counts
# of Irma and Mexico from the same paper, table 1. They add up to the set's 16,058.
EVENTS = (
    Event(
        "california_wildfires",
        1486,
        date(2017, 10, 10),
        18,
        ("Napa", "Sonoma", "Santa Rosa", "California"),
        ("#CaliforniaWildfires", "#NapaFire", "#SonomaStrong"),
    ),
    Event(
        "hurricane_harvey",
        3992,
        date(2017, 8, 26),
        26,
        ("Houston", "Texas", "Port Arthur", "Rockport"),
        ("#Harvey", "#HurricaneHarvey", "#HoustonStrong"),
    ),
    Event(
        "hurricane_irma",
        4021,
        date(2017, 9, 6),
        16,
        ("Florida", "Miami", "Key West", "Naples"),
        ("#Irma", "#HurricaneIrma", "#FloridaKeys"),
    ),
    Event(
        "hurricane_maria",
        3995,
        date(2017, 9, 20),
        54,
        ("Puerto Rico", "San Juan", "Dominica", "Ponce"),
        ("#Maria", "#HurricaneMaria", "#PuertoRico"),
    ),
    Event(
        "iraq_iran_earthquake",
        496,
        date(2017, 11, 13),
        7,
        ("Kermanshah", "Halabja", "Iran", "Iraq"),
        ("#earthquake", "#IranEarthquake", "#Kermanshah"),
    ),
    Event(
        "mexico_earthquake",
        1238,
        date(2017, 9, 20),
        17,
        ("Mexico City", "Puebla", "Oaxaca", "Juchitán"),
        ("#MexicoEarthquake", "#FuerzaMexico", "#CDMX"),
    ),
    Event(
        "srilanka_floods",
        830,
        date(2017, 5, 31),
        34,
        ("Colombo", "Kalutara", "Ratnapura", "Sri Lanka"),
        ("#FloodSL", "#SriLanka", "#SLFloods"),
    ),
)


def new_tweet_id(event: Event, rng: np.random.Generator) -> int:
    """Draw a tweet id whose time, which ids contain, is within the event's days."""
    start = int(datetime.combine(event.first, datetime.min.time(), UTC).timestamp() * 1000)
    sent = start + int(rng.integers(event.days * DAY))
    return (sent - TWITTER_EPOCH << 22) | int(rng.integers(1 << 22))


def day_of(tweet: int) -> date:
    """Read the day (UTC) on which a tweet was sent from its id."""
    sent = timedelta(milliseconds=(tweet >> 22) + TWITTER_EPOCH)
    return (datetime(1970, 1, 1, tzinfo=UTC) + sent).date()
