"""A post as an explanation takes it: its features, and encoders for varied texts and photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pipeline.explanation.explain import Post
from pipeline.extractors.device import exact_convolutions
from pipeline.features.recipe import Item, Network, Recipe
from pipeline.features.visual import VisualRecipe
from pipeline.features.worker import compute, read
from pipeline.media import sample_frames

Encoders = Mapping[str, tuple[Recipe, Network]]


def post_of(items: Mapping[str, Item], encoders: Encoders) -> Post:
    """Read a post's items, by modality, and compute their features as an extraction does.

    `encoders` holds each modality's recipe and its loaded network. A modality without an item, or
    whose item cannot be read, is absent.
    """
    features, photos = {}, None
    for modality in items.keys() & encoders.keys():
        recipe, network = encoders[modality]
        decoded = read(recipe.read, items[modality])
        with exact_convolutions():
            array = compute(network, [items[modality]], [decoded])[0].array
        if array is not None:
            features[modality] = array
            if modality == "visual" and items[modality].form == "photo":
                photos = decoded.input
    text = items["text"].text if "text" in features else None
    return Post(
        features,
        text,
        _texts(*encoders["text"]) if text else None,
        photos,
        _pictures(encoders["visual"][1]) if photos is not None else None,
        _seconds(items, encoders, features),
    )


def _texts(recipe: Recipe, network: Network) -> Callable[[Sequence[str]], list[np.ndarray]]:
    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        """Encode texts in batches; one without a word has no step."""
        inputs = [recipe.read(Item("text", text=text)).input for text in texts]
        known = [tokens for tokens in inputs if tokens is not None]
        batches = [known[i : i + recipe.batch] for i in range(0, len(known), recipe.batch)]
        arrays = iter([array for batch in batches for array in network(batch)])
        nothing = np.zeros((0, recipe.dim), np.float32)
        return [nothing if tokens is None else next(arrays) for tokens in inputs]

    return encode


def _pictures(network: Network) -> Callable[[np.ndarray], np.ndarray]:
    def encode(pictures: np.ndarray) -> np.ndarray:
        with exact_convolutions():
            return np.asarray(network([pictures])[0])

    return encode


def _seconds(
    items: Mapping[str, Item], encoders: Encoders, features: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """When each frame of a clip is shown, in seconds of the file.

    Steps of sound have none: an encoder's window need not divide the clip evenly.
    """
    recipe = encoders["visual"][0] if "visual" in features else None
    if not isinstance(recipe, VisualRecipe) or items["visual"].form != "clip":
        return {}
    item = items["visual"]
    assert recipe.frames is not None  # the clip was read
    clip = sample_frames(item.file, recipe.frames, item.start, item.end, _thumbnail)
    return {"visual": np.asarray(clip.times)}


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    """Keep one pixel, since only the times are used."""
    return picture[:1, :1]
