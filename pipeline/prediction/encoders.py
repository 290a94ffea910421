"""The encoders of a trained model, identified by the digest of their weights."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline import runtime
from pipeline.evaluation.model_folder import PREPROCESSOR, Preprocessing, TrainedModel
from pipeline.extractors.encoder import Encoder, Origin
from pipeline.extractors.registry import ENCODERS, check_library, named, obtain
from pipeline.features.audio import AudioRecipe
from pipeline.features.recipe import Recipe
from pipeline.features.text import TextRecipe
from pipeline.features.visual import VisualRecipe
from pipeline.ground.data_set import weights_folder
from pipeline.params import EncoderParams, FeatureParams

# Attributes of a feature file that say where the weights came from; the digest says which they are.
_OF_THE_SOURCE = {"encoder", "weights_origin"}


def recipes_of(model: TrainedModel, weights: Path | None = None) -> dict[str, Recipe]:
    """Return the recipe of each of a model's modalities, with its encoder.

    Weights are looked for in the folder `weights`, in this project's and in the model's
    `data/weights`, and in the cache; published and untrained ones that are in none of them are
    obtained into the cache. Raises ValueError if there are no such weights, or if this version of
    the code would make other features than the model was trained on.
    """
    return {
        modality: _recipe(model.folder, modality, made, weights)
        for modality, made in model.preprocessor.modalities.items()
    }


def _recipe(folder: Path, modality: str, made: Preprocessing, weights: Path | None) -> Recipe:
    params = _params(folder, modality, made)
    encoder = _encoder(folder, modality, made, params, weights)
    recipe: Recipe
    if modality == "visual":
        frames, reader = made.made_with.get("frames"), made.made_with.get("reader")
        recipe = VisualRecipe(encoder, frames, reader)  # type: ignore[arg-type]
    else:
        recipe = TextRecipe(encoder) if modality == "text" else AudioRecipe(encoder)  # type: ignore[arg-type]
    here, there = recipe.identity(), made.made_with
    for key in sorted({*here, *there} - _OF_THE_SOURCE):
        if here.get(key) != there.get(key):
            raise ValueError(
                f"{folder / PREPROCESSOR}: {modality} features were made with {key} "
                f"{there.get(key)}, this version makes them with {here.get(key)}; train again"
            )
    return recipe


def _params(folder: Path, modality: str, made: Preprocessing) -> EncoderParams:
    section = FeatureParams.model_fields[modality].annotation
    assert section is not None
    try:
        params: EncoderParams = section(**made.params)
        ENCODERS[modality][named(modality, params)[0]]
    except (ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{folder / PREPROCESSOR}: {modality}: {reason}; train again") from None
    return params


def _encoder(
    folder: Path, modality: str, made: Preprocessing, params: EncoderParams, weights: Path | None
) -> Encoder:
    check_library(modality, params)  # else no place would seem to hold the weights
    wanted = str(made.made_with["weights"])
    kind = ENCODERS[modality][named(modality, params)[0]].load()
    here = runtime.cache_folder() / "weights" / wanted
    places = [
        *([weights / modality] if weights else []),
        weights_folder(modality),
        folder.absolute().parent.parent / weights_folder(modality),
        here,
    ]
    encoder = _stored(kind, places, params, wanted)
    if encoder is None and params.weights in ("untrained", "pretrained"):
        obtain(modality, params, here)
        encoder = _stored(kind, [here], params, wanted)
    if encoder is not None:
        return encoder
    looked = ", ".join(str(place) for place in places[:-1])
    raise ValueError(
        f"{folder}: its {modality} encoder {params.encoder} needs the weights with SHA-256 "
        f"{wanted[:12]}..., which are not in {looked}; name a folder with {modality}/ by --weights"
    )


def _stored(kind: Any, places: list[Path], params: EncoderParams, wanted: str) -> Encoder | None:
    """Return the encoder of the first place that holds the wanted weights."""
    for place in places:
        with suppress(ValueError):  # no weights there, or damaged ones
            if Origin.of(place).encoder == params.encoder:
                encoder: Encoder = kind.of(place, params)
                if encoder.identity()["weights"] == wanted:
                    return encoder
    return None
