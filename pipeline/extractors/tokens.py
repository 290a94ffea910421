"""Tweets and descriptions to words."""

from __future__ import annotations

import html
import re

from pipeline.ground.letters import WORD

SYMBOL = r"[\xa9\xae\u203c\u2049\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"

# A joiner alone is not a word.
START = rf"(?![\u200c\u200d]){WORD}"

NOT = rf"[nN]['\u2019][tT](?!{WORD})"

TOKEN = re.compile(
    rf"""
    (?i:https?://|www\.)[^\s<>"]*[^\s<>".,:;!?'\)\]\u2026]  # address, without what ends a sentence
    | [@#]{WORD}+                                           # mention, hashtag
    | [\U0001f1e6-\U0001f1ff]{{2}}                          # flag
    | [0-9\#*]\ufe0f?\u20e3                                 # keycap
    | {SYMBOL}[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*          # emoji with variant or skin tone,
      (?:\u200d{SYMBOL}[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*)*  # joined to others
    | \d+(?:[.,:]\d+)*                                      # number, time
    | {START}{WORD}*?(?={NOT})                              # do n't, as ELMo learnt it
    | {NOT}
    | ['\u2019](?i:s|m|d|re|ve|ll)(?!{WORD})                 # it 's
    | {START}{WORD}*(?:-{WORD}+)*                           # word, also with hyphens
    | \.\.+                                                 # ellipsis
    | [^\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe0e\ufe0f\ufeff]  # a mark
    """,
    re.VERBOSE,
)


def tokenize(text: str) -> list[str]:
    """Split a text into words and marks, as ELMo's training text was split.

    Addresses, mentions, hashtags, numbers and emoji (also joined ones) stay whole; clitics and
    punctuation become tokens; HTML entities are decoded; case is unchanged.

    >>> tokenize("Don't panic, #Houston: it's 5,000 &amp; rising...")
    ['Do', "n't", 'panic', ',', '#Houston', ':', 'it', "'s", '5,000', '&', 'rising', '...']
    """
    return TOKEN.findall(html.unescape(text))
