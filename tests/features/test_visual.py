from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.extractors import InceptionV3
from pipeline.extractors.inception import FILE as WEIGHTS
from pipeline.extractors.inception import InceptionEncoder
from pipeline.features.extract import item_key
from pipeline.features.recipe import FILE, Item
from pipeline.features.visual import VisualRecipe
from pipeline.media import sample_frames

Opened = Callable[..., Any]

SIZE = 80  # about as small as Inception V3 takes


@pytest.fixture
def clip(real_items: dict[str, list[Item]], tmp_path: Path) -> Path:
    """Eight frames of noise in 0.8 seconds."""
    return Path(shutil.copy(real_items["clip"][-1].file, tmp_path))


@pytest.fixture
def photo(real_items: dict[str, list[Item]]) -> Path:
    return real_items["photo"][0].file


@pytest.fixture
def inception(weights: Path) -> Path:
    return weights / "visual"


def test_a_photo_is_one_vector(inception: Path, photo: Path, opened: Opened) -> None:
    recipe = VisualRecipe(InceptionEncoder(inception, SIZE))
    entry = opened(recipe)([Item("a", path=photo)])[0]
    assert entry.array is not None
    pixels = np.asarray(Image.open(photo))[None]
    expected = InceptionV3.from_file(inception / WEIGHTS).features(pixels, size=SIZE)
    assert entry.array.tobytes() == expected.tobytes()
    assert entry.array.shape == (1, recipe.dim) == (1, 2048)


def test_a_clip_is_a_vector_a_frame(inception: Path, clip: Path, opened: Opened) -> None:
    recipe = VisualRecipe(InceptionEncoder(inception, SIZE), 3)
    entry = opened(recipe)([Item("a", path=clip, start=0.2, end=0.7)])[0]
    assert entry.array is not None
    assert entry.failure is None
    frames = sample_frames(clip, 3, 0.2, 0.7).frames
    expected = InceptionV3.from_file(inception / WEIGHTS).features(frames, size=SIZE)
    assert entry.array.tobytes() == expected.tobytes()
    assert entry.array.shape == (3, 2048)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_the_network_runs_on_the_environments_device(
    inception: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    with pytest.raises(ValueError, match="finds no GPU here; unset HGFN_DEVICE"):
        VisualRecipe(InceptionEncoder(inception, SIZE)).network()


def test_a_clip_cut_short_gives_what_it_has_and_a_failure(
    inception: Path, clip: Path, opened: Opened
) -> None:
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    entry = opened(VisualRecipe(InceptionEncoder(inception, SIZE), 2))([Item("a", path=clip)])[0]
    assert entry.array is not None
    assert entry.array.shape == (2, 2048)
    message = f"{FILE}: damaged or cut off; what can be decoded of it is used"
    assert entry.failure == ("truncated", message)


def test_a_photo_cut_short_gives_what_it_has_and_a_failure(
    inception: Path, photo: Path, tmp_path: Path, opened: Opened
) -> None:
    Image.open(photo).save(tmp_path / "cut.jpg", quality=95)
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-2])
    entry = opened(VisualRecipe(InceptionEncoder(inception, SIZE)))(
        [Item("a", path=tmp_path / "cut.jpg")]
    )[0]
    assert entry.array is not None
    assert entry.array.shape == (1, 2048)
    message = f"{FILE}: damaged or cut off; what can be decoded of it is used"
    assert entry.failure == ("truncated", message)


def test_whatever_changes_the_features_changes_the_key(inception: Path, photo: Path) -> None:
    recipes = [
        VisualRecipe(InceptionEncoder(inception, size, precision), frames)
        for size, frames, precision in (
            (224, None, "float32"),
            (299, None, "float32"),
            (224, 40, "float32"),
            (224, 20, "float32"),
            (299, 40, "float32"),
            (224, 1, "float32"),
            (224, None, "bfloat16"),
            (224, 40, "bfloat16"),
        )
    ]
    item = Item("a", path=photo)
    assert len({item_key(r.modality, r.identity(), item) for r in recipes}) == len(recipes)


def test_a_set_of_photos_and_clips_reads_each_as_what_it_is(
    inception: Path, photo: Path, clip: Path, opened: Opened
) -> None:
    encoder = InceptionEncoder(inception, SIZE)
    mixed = opened(VisualRecipe(encoder, 3, "post"))
    still, moving = Item("a", path=photo, form="photo"), Item("b", path=clip, form="clip")
    for item, alone in ((still, VisualRecipe(encoder)), (moving, VisualRecipe(encoder, 3))):
        assert mixed([item])[0].array.tobytes() == opened(alone)([item])[0].array.tobytes()


def test_an_animation_as_a_photo_and_as_a_clip_has_two_keys_in_the_cache(
    inception: Path, clip: Path
) -> None:
    encoder = InceptionEncoder(inception, SIZE)
    mixed = VisualRecipe(encoder, 3, "post")

    def key(recipe: VisualRecipe, item: Item) -> str:
        return item_key("visual", recipe.item_identity(recipe.identity(), item), item)

    still, moving = Item("a", path=clip, form="photo"), Item("a", path=clip, form="clip")
    assert key(mixed, still) != key(mixed, moving)
    # And the keys of sets of photos alone, and of clips alone.
    assert key(mixed, still) == key(VisualRecipe(encoder), Item("a", path=clip))
    assert key(mixed, moving) == key(VisualRecipe(encoder, 3), Item("a", path=clip))


def test_several_photos_are_a_vector_each_and_a_broken_one_is_counted(
    inception: Path, photo: Path, opened: Opened, tmp_path: Path
) -> None:
    recipe = VisualRecipe(InceptionEncoder(inception, SIZE))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    item = Item("a", path=photo, more=(broken, photo), form="photo")
    entry = opened(recipe)([item])[0]
    alone = opened(recipe)([Item("a", path=photo)])[0].array
    np.testing.assert_allclose(entry.array, np.repeat(alone, 2, axis=0), rtol=1e-3, atol=1e-5)
    kind, message = entry.failure
    assert kind == "not_an_image"
    assert item.with_paths(message).startswith(f"{broken}: not a readable")
    assert str(tmp_path) not in message  # files of the same bytes share it
    none = opened(recipe)([Item("a", path=broken, more=(broken,), form="photo")])[0]
    assert none.array is None
    assert none.failure[0] == "not_an_image"


def test_a_clip_in_a_recipe_of_photos_is_refused(inception: Path, clip: Path) -> None:
    recipe = VisualRecipe(InceptionEncoder(inception, SIZE))
    with pytest.raises(ValueError, match=r"the recipe is one of photos, and .* is a clip"):
        recipe.read(Item("a", path=clip, form="clip"))
