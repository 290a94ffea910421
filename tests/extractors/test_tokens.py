from __future__ import annotations

import doctest
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extractors import tokens
from pipeline.extractors.tokens import tokenize


def test_the_documented_example() -> None:
    assert doctest.testmod(tokens).failed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n\u3000\u200b", []),
        ("RT @user_1: help!!", ["RT", "@user_1", ":", "help", "!", "!"]),
        ("#HurricaneHarvey's", ["#HurricaneHarvey", "'s"]),
        ("https://t.co/aB1,", ["https://t.co/aB1", ","]),
        ("(see www.x.org/a_b?c=d&e).", ["(", "see", "www.x.org/a_b?c=d&e", ")", "."]),
        ("https://t.co/abc…", ["https://t.co/abc", "…"]),
        (
            "Can't CAN\u2019T it\u2019s they'LL",
            ["Ca", "n't", "CA", "N\u2019T", "it", "\u2019s", "they", "'LL"],
        ),
        ("state-of-the-art snake_case", ["state-of-the-art", "snake_case"]),
        ("10:30, $5,000.50 50%", ["10:30", ",", "$", "5,000.50", "50", "%"]),
        ("a&amp;b &lt;3", ["a", "&", "b", "<", "3"]),
        ("what...ever ?!", ["what", "...", "ever", "?", "!"]),
        ("👩‍👩‍👧🇺🇸👍🏽❤️1️⃣😭😭", ["👩‍👩‍👧", "🇺🇸", "👍🏽", "❤️", "1️⃣", "😭", "😭"]),
        ("बाढ़ में café 東京", ["बाढ़", "में", "café", "東京"]),
        ("a\x00b\x07", ["a", "b"]),
        ("ï¿½ donâ€™t", ["ï", "¿", "½", "donâ", "€", "™", "t"]),
    ],
)
def test_tweets_are_split_as_a_reader_would(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected


@given(st.text(max_size=60))
def test_tokens_are_pieces_of_the_text_in_order(text: str) -> None:
    text = text.replace("&", "")  # entities are replaced on purpose
    position = 0
    for token in tokenize(text):
        assert token
        assert not any(character.isspace() for character in token)
        start = text.index(token, position)
        skipped = text[position:start]
        assert not any(unicodedata.category(c)[0] in "LN" for c in skipped)
        position = start + len(token)
    assert not any(unicodedata.category(c)[0] in "LN" for c in text[position:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeffबाढ़ आई। मदद॥", ["बाढ़", "आई", "।", "मदद", "॥"]),
        ("क्\u200dष में\u200c \u200d \u200c", ["क्\u200dष", "में\u200c"]),
        ("فيضان، كبير؟", ["فيضان", "،", "كبير", "؟"]),
        ("น้ำท่วม๏ ពួក។ ရေ၊", ["น้ำท่วม", "๏", "ពួក", "។", "ရေ", "၊"]),
        ("שִׁיטָפוֹן־עז ጎርፍ። ჭ՜", ["שִׁיטָפוֹן", "־", "עז", "ጎርፍ", "።", "ჭ", "՜"]),
        ("時々洪水。", ["時々洪水", "。"]),
        ("cafe\u0301 Flo\ufeffod ½ á½", ["cafe\u0301", "Flo", "od", "½", "á", "½"]),
        ("#बाढ़_2024। @पीडि़त!", ["#बाढ़_2024", "।", "@पीडि़त", "!"]),
    ],
)
def test_a_word_is_letters_and_marks_of_any_script(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected
