"""A whole explanation agrees with its parts, and is readable with what a post has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.explanation.description import describe, explanation_row
from pipeline.explanation.explain import Explanation, Post, explain
from pipeline.explanation.occlusion import Sample, step_drops
from pipeline.explanation.probabilities import in_double
from pipeline.ground.messages import echo
from tests.training.conftest import TASKS, make_spec

DIMS = {"audio": 3, "text": 4, "visual": 5}
CONFIDENCES = {task.name: 0.25 for task in TASKS}


def encode_texts(texts: Sequence[str]) -> list[np.ndarray]:
    vectors = [[[len(w), w.count("e"), 1, -1] for w in text.split()] for text in texts]
    return [np.array(rows, np.float32).reshape(-1, 4) for rows in vectors]


def encode_pictures(pictures: np.ndarray) -> np.ndarray:
    means = pictures.mean(axis=(1, 2)) / 64
    return np.concatenate([means, means[:, :2]], axis=1).astype(np.float32)


def a_clip() -> Post:
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(6, dim)).astype(np.float32) for name, dim in DIMS.items()}
    return Post(features, seconds={"visual": np.arange(6) / 2, "audio": np.arange(6) + 0.5})


def a_tweet() -> Post:
    photos = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 3)).astype(np.uint8)
    text = "Seven people rescued today"
    features = {"text": encode_texts([text])[0], "visual": encode_pictures(photos)}
    return Post(features, text, encode_texts, photos, encode_pictures)


def explained(post: Post, **changes: object) -> Explanation:
    spec = make_spec(DIMS, fusion="hgfn", **{"encoder": "bigru", **changes})
    return explain(in_double(spec.build()), spec, post)


def test_the_probability_is_that_of_nothing_and_the_modalities_shares() -> None:
    for post in (a_clip(), a_tweet(), Post({})):
        explanation = explained(post)
        for task in explanation.tasks:
            shares = explanation.shapley[task.name]
            assert list(shares) == sorted(DIMS)
            assert all(shares[name] == 0 for name in DIMS if name not in post.features)
            total = explanation.nothing[task.name] + sum(shares.values())
            assert total == pytest.approx(explanation.probability[task.name], abs=1e-9)


def test_a_clip_has_steps_with_their_seconds_and_a_tweet_words_and_regions() -> None:
    clip, tweet = explained(a_clip()), explained(a_tweet())
    assert list(clip.steps) == ["audio", "text", "visual"]
    assert (clip.words, clip.regions) == ([], [])
    assert tweet.words == ["Seven", "people", "rescued", "today"]
    assert not tweet.steps
    assert [grids["kind"].shape for grids in tweet.regions] == [(7, 7), (7, 7)]


def test_steps_are_those_of_occlusion_and_the_thresholds_decide_the_class() -> None:
    spec, post = make_spec(DIMS, fusion="hgfn", encoder="bigru"), a_clip()
    members = in_double(spec.build())
    for threshold, expected in ((0.0, 1), (1.0, 0)):
        explanation = explain(members, spec, post, {"victim": threshold})
        sample = Sample.of(members, spec, post.features, {"victim": threshold})
        assert explanation.classes["victim"] == sample.classes["victim"] == expected
        drops = step_drops(sample, "audio")["victim"]
        np.testing.assert_array_equal(explanation.steps["audio"]["victim"], drops)


def test_the_description_says_of_each_part_what_it_is_not() -> None:
    clip = "\n".join(describe(explained(a_clip()), CONFIDENCES))
    assert " 2.5 s, attention 0." in clip
    assert " 2 s to 3 s" in clip
    assert "step 3" in clip  # of the text, which has no times
    tweet = "\n".join(describe(explained(a_tweet()), CONFIDENCES))
    assert "confidence 0.250" in tweet
    assert "rescued" in tweet
    assert "photo 2" in tweet
    for text in (clip, tweet):
        assert "relative to the network without any input" in text
        assert "No cause" in text
        assert "repeat each other" in text
        assert "(bimodal, similarity" in text


def test_the_row_of_a_table_has_the_same_columns_for_every_post() -> None:
    rows = [explanation_row(explained(post)) for post in (a_clip(), a_tweet(), Post({}))]
    clip, tweet, nothing = rows
    for name in ("useful", "kind", "victim"):
        shapley = [f"{name}.shapley.{part}" for part in ("nothing", "audio", "text", "visual")]
        assert [column for column in clip if column.startswith(f"{name}.shapley")] == shapley
        assert tweet[f"{name}.shapley.audio"] == 0.0
        assert "s +" in clip[f"{name}.steps"] or "s -" in clip[f"{name}.steps"]
        assert tweet[f"{name}.words"].count("; ") == 3
        assert tweet[f"{name}.regions"].startswith("photo ")
        assert [nothing[f"{name}.{part}"] for part in ("words", "steps", "regions")] == [""] * 3
    assert list(clip) == list(tweet) == list(nothing)


def test_one_task_alone() -> None:
    text = "\n".join(describe(explained(a_tweet()), CONFIDENCES, "victim"))
    assert text.startswith("victim: ")
    assert "kind: " not in text


@pytest.mark.parametrize("changes", [{"encoder": "pooled"}, {"mtl": "single"}, {"members": 2}])
def test_every_kind_of_model_is_described(changes: dict[str, object]) -> None:
    for post in (a_clip(), a_tweet(), Post({})):
        lines = list(describe(explained(post, **changes), CONFIDENCES, "kind"))
        assert lines[0].startswith("kind: ")
        assert not any("nan" in line for line in lines)


def test_a_word_that_would_lead_a_terminal_is_printed_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    post = replace(a_tweet(), text="http://a.b/\x1b[2J fire", photos=None)
    for line in describe(explained(post), CONFIDENCES):
        assert "\n" not in line
        echo(line)
    printed = capsys.readouterr().out
    assert "http://a.b/\\x1b[2J" in printed
    assert "\x1b" not in printed
