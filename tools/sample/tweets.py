"""A plan of the sample's tweets: texts, labels and photos, before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.sample import grammar
from tools.sample.dirt import EMOJI, PHOTO_DIRT, mojibake
from tools.sample.events import EVENTS, Event, new_tweet_id
from tools.sample.proportions import (
    DAMAGE,
    HUMANITARIAN,
    INFRASTRUCTURE,
    LABEL_SHARES,
    MOJIBAKE,
    PHOTOS_PER_TWEET,
    RETWEETS,
    label_pairs,
    quota,
)
from tools.sample.words import CLASSES, SEVERITY, USERS

SEED = 20171127
# How often a text or a photo has the cue of its label, none, or (the rest) another label's. Both
# are drawn independently, so that together they say more about the label than one alone.
TYPICAL, SILENT = {"text": 0.76, "image": 0.62}, {"text": 0.16, "image": 0.28}
SAME_BUT_LINK = 0.02  # tweets that repeat another's text with other links
SEVERITY_SHARE = 0.7  # texts that mention the damage


@dataclass(frozen=True)
class Photo:
    """One photo: its labels, the label it looks like (None: no label), and its file's fault."""

    humanitarian: str
    damage: str
    looks_like: str | None
    dirt: str | None = None


@dataclass(frozen=True)
class Tweet:
    """One tweet; its photos are stored under the id `photo_tweet`, which is once not its own."""

    tweet: int
    photo_tweet: int
    event: Event
    humanitarian: str
    text: str
    photos: tuple[Photo, ...]


def plan_tweets(tweets: int) -> list[Tweet]:
    """Plan about `tweets` tweets (one more or less by rounding); the same list every time."""
    rng = np.random.default_rng(SEED)
    rows = round(tweets * float(np.dot(PHOTOS_PER_TWEET, (1, 2, 3, 4))))
    photos_of = list(_tweets_of_labels(_with_damage(label_pairs(rows), rng), rng))
    events = np.repeat(np.arange(len(EVENTS)), quota([e.tweets for e in EVENTS], len(photos_of)))
    order = rng.permutation(len(photos_of))
    plan = [
        _plan_tweet(EVENTS[event], photos_of[i][0], photos_of[i][1], rng)
        for event, i in zip(events, order, strict=True)
    ]
    return _soil_photos(_repeat(_soil_texts(plan, rng), rng), rng)


def _with_damage(
    pairs: Sequence[tuple[str, str]], rng: np.random.Generator
) -> list[tuple[str, str, str]]:
    """Add damage labels to the photos of infrastructure, as in the real set; `nan` elsewhere."""
    judged = [i for i, (_, image) in enumerate(pairs) if image == INFRASTRUCTURE]
    levels = np.repeat(list(DAMAGE), quota(list(DAMAGE.values()), len(judged)))
    damage = dict(zip(judged, rng.permutation(levels), strict=True))
    return [(text, image, str(damage.get(i, "nan"))) for i, (text, image) in enumerate(pairs)]


def _tweets_of_labels(
    rows: Sequence[tuple[str, str, str]], rng: np.random.Generator
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Group rows of one text label into tweets of one text and one to four photos."""
    for label in HUMANITARIAN:
        photos = [(image, damage) for text, image, damage in rows if text == label]
        photos = [photos[i] for i in rng.permutation(len(photos))]
        while photos:
            size = 1 + int(rng.choice(4, p=PHOTOS_PER_TWEET))
            yield label, photos[:size]
            photos = photos[size:]


def _plan_tweet(
    event: Event, label: str, photos: list[tuple[str, str]], rng: np.random.Generator
) -> Tweet:
    tweet = new_tweet_id(event, rng)
    cue = _cue("text", label, rng)
    body = grammar.tweet(
        [CLASSES[cue]] if cue else [],
        _remark(photos[0][1], rng),
        event.places,
        event.hashtags,
        rng,
    )
    retweeted = f"RT @{grammar.pick(USERS, rng)}: " if rng.random() < RETWEETS else ""
    text = f"{retweeted}{body} {_links(rng)}"
    planned = tuple(Photo(image, damage, _cue("image", image, rng)) for image, damage in photos)
    return Tweet(tweet, tweet, event, label, text, planned)


def _cue(kind: str, label: str, rng: np.random.Generator) -> str | None:
    drawn = rng.random()
    if drawn < TYPICAL[kind]:
        return label
    if drawn < TYPICAL[kind] + SILENT[kind]:
        return None
    others = np.array([share if name != label else 0 for name, share in LABEL_SHARES.items()])
    return str(rng.choice(list(LABEL_SHARES), p=others / others.sum()))


def _remark(damage: str, rng: np.random.Generator) -> str | None:
    severe = damage in SEVERITY and rng.random() < SEVERITY_SHARE
    return " and ".join(grammar.pick(SEVERITY[damage], rng) for _ in range(3)) if severe else None


def _links(rng: np.random.Generator) -> str:
    return " ".join(grammar.short_link(rng) for _ in range(int(rng.integers(1, 3))))


def _repeat(plan: list[Tweet], rng: np.random.Generator) -> list[Tweet]:
    """Replace a few texts by an earlier one of the same event and label, with other links."""
    plan, count = list(plan), max(1, round(len(plan) * SAME_BUT_LINK))
    earlier: dict[tuple[str, str], Tweet] = {}
    for i in rng.permutation(len(plan)):
        tweet = plan[i]
        if not tweet.text:
            continue
        first = earlier.setdefault((tweet.event.name, tweet.humanitarian), tweet)
        if first is not tweet and count:
            body = first.text.split(" https://")[0]
            plan[i] = replace(tweet, text=f"{body} {_links(rng)}")
            del earlier[tweet.event.name, tweet.humanitarian]
            count -= 1
    return plan


def _soil_texts(plan: list[Tweet], rng: np.random.Generator) -> list[Tweet]:
    """Make one text empty, garble some, and give some an emoji."""
    order = [int(i) for i in rng.permutation(len(plan))]
    garbled = max(1, round(len(plan) * MOJIBAKE))
    emoji = max(1, round(len(plan) * 0.02))
    changed = {order[0]: ""}
    for i in order[1 : 1 + garbled]:
        changed[i] = mojibake(plan[i].text)
    for i in order[1 + garbled : 1 + garbled + emoji]:
        changed[i] = f"{plan[i].text} {grammar.pick(EMOJI, rng)}"
    return [replace(tweet, text=changed.get(i, tweet.text)) for i, tweet in enumerate(plan)]


def _soil_photos(plan: list[Tweet], rng: np.random.Generator) -> list[Tweet]:
    """Give one photo each kind of fault, and store one tweet's photos under another id."""
    single = [i for i in rng.permutation(len(plan)) if len(plan[i].photos) == 1]
    several = next(i for i in rng.permutation(len(plan)) if len(plan[i].photos) > 1)
    plan = list(plan)
    for i, kind in zip(single, PHOTO_DIRT, strict=False):
        plan[i] = replace(plan[i], photos=(replace(plan[i].photos[0], dirt=kind),))
    plan[several] = replace(plan[several], photo_tweet=new_tweet_id(plan[several].event, rng))
    return plan
