"""A trained model with its encoders: from posts to decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from pipeline import runtime
from pipeline.datasets.index import drop_empty_texts, drop_missing_files
from pipeline.evaluation.model_folder import Decisions, TrainedModel, open_model
from pipeline.evaluation.predictions import prediction_table
from pipeline.explanation.description import explanation_row
from pipeline.explanation.explain import Explanation, explain
from pipeline.explanation.probabilities import BATCH, in_double, outputs
from pipeline.features.bucket_cache import open_cache
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.items import items_of
from pipeline.features.recipe import Identity, Recipe
from pipeline.features.resident import Resident
from pipeline.features.visual import VisualRecipe
from pipeline.ground.failures import Failure
from pipeline.ground.processes import THREADS
from pipeline.inputs.feature_file import FeatureFile
from pipeline.prediction.encoders import recipes_of
from pipeline.prediction.operating_point import at_recall
from pipeline.prediction.post_media import Encoders, post_of
from pipeline.prediction.posts import Posts, posts_table
from pipeline.training.examples import Examples
from pipeline.training.predict import InDouble, final_probabilities

# Posts whose features are held in memory together. A pool of processes starts for each group.
AT_ONCE = {"pooled": 2048, "bigru": 512}


@dataclass(frozen=True)
class Encoded:
    """Posts as the network takes them, and what could not be read; `ids` are in the given order."""

    ids: list[str]
    examples: Examples
    failures: list[Failure]

    @property
    def rows(self) -> np.ndarray:
        """Row of each post in the examples, which are sorted by id."""
        number = {name: row for row, name in enumerate(self.examples.ids)}
        return np.array([number[name] for name in self.ids])


class Predictor:
    """A trained model that takes posts.

    Posts are a table, or a list of mappings, with some of the columns `text`, `image` (a path, or
    several separated by `;`), `video`, `start`, `end` (seconds) and `id`. Relative paths are
    relative to `root`. Encoders are loaded once, at the first post that needs them. Features go
    through the cache of the pipeline, or through `cache`.
    """

    def __init__(
        self,
        model: TrainedModel,
        recipes: Mapping[str, Recipe],
        decisions: Decisions,
        cache: ItemCache | None = None,
    ) -> None:
        self.model, self.recipes, self.decisions = model, dict(recipes), decisions
        self.tasks, self.modalities = model.spec.tasks, tuple(model.spec.modalities)
        self._cache = cache
        self._engine = Resident()

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        weights: Path | None = None,
        recall: float | None = None,
        cache: ItemCache | None = None,
    ) -> Predictor:
        """Open a model's folder and its encoders.

        `weights` is a folder with encoders' weights by modality. `recall` moves the thresholds of
        yes-or-no tasks to reach it on validation. Raises ValueError: see `open_model`,
        `recipes_of` and `at_recall`.
        """
        model = open_model(Path(folder))
        decisions = model.decisions if recall is None else at_recall(model.decisions, recall)
        return cls(model, recipes_of(model, weights), decisions, cache)

    def warm(self) -> None:
        """Load the encoders now, rather than at the first post that needs them."""
        for recipe in self.recipes.values():
            self._engine.network(recipe)

    @property
    def at_once(self) -> int:
        """Posts whose features are held in memory together."""
        return AT_ONCE[self.model.spec.encoder]

    def predict(self, posts: Posts, root: Path = Path()) -> pd.DataFrame:
        """Return a row for each post, in their order: see `prediction_table`.

        A post with nothing to look at is marked `unsure`.
        """
        tables = (self.decide(encoded) for encoded in self.encode(posts, root))
        return pd.concat(tables, ignore_index=True)

    def decide(self, encoded: Encoded) -> pd.DataFrame:
        """Return a row for each of the posts that `encode` yielded."""
        torch.set_num_threads(THREADS)
        probabilities = final_probabilities(self.members, encoded.examples, self.tasks)
        table = prediction_table(
            self.tasks, encoded.examples, probabilities, self.decisions, encoded.failures
        )
        nothing = ~table[[f"{name}.present" for name in self.modalities]].any(axis=1)
        table["unsure"] |= nothing
        return table.iloc[encoded.rows].reset_index(drop=True)

    def predict_proba(self, posts: Posts, root: Path = Path()) -> dict[str, np.ndarray]:
        """Return each task's class probabilities [posts, classes], in the posts' order."""
        table = self.predict(posts, root)
        return {
            task.name: table[[f"{task.name}.p.{label}" for label in task.classes]].to_numpy()
            for task in self.tasks
        }

    def embed(self, posts: Posts, root: Path = Path()) -> np.ndarray:
        """Return the shared representation [posts, members x width], in the posts' order."""
        encoded = self.encode(posts, root)
        return np.concatenate([self.representation(each.examples, each.rows) for each in encoded])

    def explain(self, posts: Posts, root: Path = Path()) -> pd.DataFrame:
        """Return a row for each post, in their order: `id` and the columns of `explanation_row`."""
        explained = self.explanations(posts, root)
        return pd.DataFrame([{"id": name, **explanation_row(each)} for name, each in explained])

    def explanations(self, posts: Posts, root: Path = Path()) -> Iterator[tuple[str, Explanation]]:
        """Yield each post's id and explanation, which takes seconds."""
        table = posts_table(posts)
        self._drop_unreadable(table, root)
        items = {
            name: {item.id: item for item in items_of(table, name, root)} for name in self.recipes
        }
        torch.set_num_threads(THREADS)
        for key in table["id"]:
            post = post_of({m: of[key] for m, of in items.items() if key in of}, self._encoders)
            yield key, explain(self.members, self.model.spec, post, self.decisions.thresholds)

    @cached_property
    def _identities(self) -> dict[str, Identity]:
        return {name: recipe.identity() for name, recipe in self.recipes.items()}

    @cached_property
    def members(self) -> list[InDouble]:
        """The model's networks, copied to float64."""
        return in_double(self.model.networks.to(runtime.device()))

    @property
    def _encoders(self) -> Encoders:
        return {name: (r, self._engine.network(r)) for name, r in self.recipes.items()}

    def encode(self, posts: Posts, root: Path = Path()) -> Iterator[Encoded]:
        """Yield the features of the posts, `at_once` of them at a time."""
        table = posts_table(posts)
        for start in range(0, len(table), self.at_once):
            yield self._encode(table.iloc[start : start + self.at_once].copy(), root)

    def _encode(self, table: pd.DataFrame, root: Path) -> Encoded:
        failures = self._drop_unreadable(table, root)
        ordered = table.sort_values("id", ignore_index=True)
        arrays, pooled = {}, self.model.spec.encoder == "pooled"
        with TemporaryDirectory(prefix="hgfn-") as folder:
            for modality, recipe in self.recipes.items():
                path = Path(folder) / f"{modality}.h5"
                failures += self._extract(recipe, ordered, root, path)
                arrays[modality] = list(FeatureFile(path).rows(pooled))
        split = np.full(len(ordered), "new")
        examples = Examples(ordered["id"].tolist(), split, arrays, {})
        return Encoded(table["id"].tolist(), examples, failures)

    def _drop_unreadable(self, table: pd.DataFrame, root: Path) -> list[Failure]:
        failures = drop_missing_files(table, root, ("image", "video", "audio"))
        return [*failures, *drop_empty_texts(table), *self._refuse_clips(table)]

    def _extract(
        self, recipe: Recipe, table: pd.DataFrame, root: Path, path: Path
    ) -> list[Failure]:
        items = items_of(table, recipe.modality, root)
        known = {item.id for item in items}
        self._cache = self._cache or open_cache()
        return extract_features(
            recipe,
            items,
            absent=[name for name in table["id"] if name not in known],
            path=path,
            cache=self._cache,
            workers=runtime.workers(),
            engine=self._engine,
            identity=self._identities[recipe.modality],
        )

    def _refuse_clips(self, table: pd.DataFrame) -> list[Failure]:
        """Leave out the pictures of clips where the model was trained on photos only."""
        visual = self.recipes.get("visual")
        if not isinstance(visual, VisualRecipe) or visual.frames is not None:
            return []
        clips = table["image"].isna() & table["video"].notna()
        table["video"] = table["video"].mask(clips, None)
        message = "the model was trained on photos: it looks at no clip"
        return [Failure(name, "visual", "not_an_image", message) for name in table["id"][clips]]

    def representation(self, examples: Examples, rows: np.ndarray) -> np.ndarray:
        """Return the shared representation [rows, members x width] of some examples."""
        parts = []
        for batch in examples.batches(rows, BATCH):
            shared = [output.shared for output in outputs(self.members, batch)]
            parts.append(torch.cat(shared, dim=1).float().cpu().numpy())
        return np.concatenate(parts)
