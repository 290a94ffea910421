"""What an explanation varies is read and encoded as an extraction does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.explanation.explain import explain
from pipeline.explanation.probabilities import in_double
from pipeline.features.recipe import Item
from pipeline.features.text import TextRecipe
from pipeline.features.visual import VisualRecipe
from pipeline.media import sample_frames
from pipeline.prediction.post_media import Encoders, post_of
from tests.prediction.small_encoders import Colours, Letters
from tests.training.conftest import make_spec

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "data/sample/youtube/clips/clip_00.mp4"


@pytest.fixture
def encoders() -> Encoders:
    visual, text = VisualRecipe(Colours(), 4, "post"), TextRecipe(Letters())
    return {"visual": (visual, visual.network()), "text": (text, text.network())}


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "a.png", tmp_path / "b.png"
    for shade, path in enumerate(paths):
        Image.new("RGB", (40, 30), (200, 100 * shade, 50)).save(path)
    return paths


def test_a_post_of_text_and_photos_is_explained_in_words_and_regions(
    encoders: Encoders, photos: tuple[Path, Path]
) -> None:
    items = {
        "text": Item("p", text="Flood &amp; fire now"),
        "visual": Item("p", path=photos[0], more=photos[1:], form="photo"),
    }
    post = post_of(items, encoders)
    assert {name: x.shape for name, x in post.features.items()} == {
        "text": (4, 3),
        "visual": (2, 3),
    }
    spec = make_spec({"text": 3, "visual": 3}, fusion="hgfn", encoder="bigru")
    explanation = explain(in_double(spec.build()), spec, post)
    assert explanation.words == ["Flood", "&", "fire", "now"]
    assert len(explanation.regions) == 2
    assert all((grids["kind"] != 0).any() for grids in explanation.regions)


def test_the_encoders_give_the_posts_own_features_for_its_own_text_and_photos(
    encoders: Encoders, photos: tuple[Path, Path]
) -> None:
    text = "Flood &amp; fire"
    items = {"text": Item("p", text=text), "visual": Item("p", path=photos[1], form="photo")}
    post = post_of(items, encoders)
    assert post.encode_texts is not None
    assert post.encode_pictures is not None
    assert post.photos is not None
    whole, empty, again = post.encode_texts([text, " ", text])
    assert whole.tobytes() == again.tobytes() == post.features["text"].tobytes()
    assert empty.shape == (0, 3)
    own = post.encode_pictures(post.photos)
    assert own.tobytes() == post.features["visual"].tobytes()


def test_a_clips_frames_have_their_seconds(encoders: Encoders) -> None:
    post = post_of({"visual": Item("p", path=CLIP, start=1.0, end=3.0, form="clip")}, encoders)
    assert post.photos is None
    expected = sample_frames(CLIP, 4, 1.0, 3.0).times
    np.testing.assert_array_equal(post.seconds["visual"], expected)
    assert len(post.features["visual"]) == 4


def test_what_cannot_be_read_is_absent(encoders: Encoders, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    items = {"text": Item("p", text=" "), "visual": Item("p", path=broken, form="photo")}
    post = post_of(items, encoders)
    assert dict(post.features) == {}
    assert (post.text, post.photos, post.encode_texts) == (None, None, None)
