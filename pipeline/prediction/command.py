"""`hgfn predict` and `hgfn explain`: posts of a manifest, a folder or JSON lines, or one post."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.explanation.description import describe
from pipeline.ground.data_set import SOURCES
from pipeline.prediction.material import STANDARD_INPUT, own_posts, posts_of
from pipeline.prediction.operating_point import promises
from pipeline.prediction.output import prediction_file
from pipeline.prediction.predictor import Predictor

_COUNTED = ("posts", "nothing", "unsure")  # beside the failures, in the counts of a run


class NothingReadError(ValueError):
    """No post of the input had anything that could be read."""


def predict(
    model: Path,
    source: str | None,
    out: Path | None,
    post: Mapping[str, Any],
    recall: float | None = None,
    weights: Path | None = None,
    explained: bool = False,
) -> Iterator[str]:
    """Predict the posts of `source`, or the one `post`; yields lines for the user.

    `source` is a manifest, a folder, or `-` for JSON lines on standard input. One post needs no
    `out`: its decisions are yielded. With `explained`, `out` also has the columns of
    `Predictor.explain`. Raises ValueError for wrong arguments or posts, and NothingReadError at the
    end if nothing could be read.
    """
    _check_arguments(source, out, post)
    if explained and out is None:
        raise ValueError("--explain adds columns to a file: give --out, or type hgfn explain")
    file = prediction_file(out) if out else None  # refuses a wrong name before the work
    predictor = Predictor.load(model, weights=weights, recall=recall)
    if recall is not None:
        yield from promises(predictor.decisions)
    notes, root, tables = posts_of(source, post, predictor.at_once)
    yield from notes
    if file is None:
        posts = next(tables)
        table = predictor.predict(posts, root)
        yield from _failure_lines(table, predictor, posts)
        yield from _decision_lines(table, predictor)
        yield from _untrained_line(predictor)
        return
    counts = Counter[str]()
    with file as write:
        for posts in tables:
            for encoded in predictor.encode(posts, root):
                table = predictor.decide(encoded)
                counts.update(_counts(table, predictor))
                if explained:
                    own = posts[posts["id"].isin(encoded.ids)]
                    table = table.merge(predictor.explain(own, root), on="id")
                write(table)
    yield from _untrained_line(predictor)
    number = f"{counts['posts']:,} post{'s' if counts['posts'] > 1 else ''}"
    yield f"{number} in {out}; {_in_words(counts)}"
    if counts["nothing"] == counts["posts"]:
        raise NothingReadError(f"no post had anything that could be read; see {out}")


def _check_arguments(source: str | None, out: Path | None, post: Mapping[str, Any]) -> None:
    if (source is None) == (not post):
        raise ValueError(
            "give an INPUT (a manifest, a folder, or -), or --text, --image, --video; not both"
        )
    if out is None and source is not None:
        raise ValueError("name the file of the predictions: --out predictions.csv")
    if out is not None and source is not None and out.resolve() == Path(source).resolve():
        raise ValueError(f"--out {out} is the INPUT, which it would replace; name another file")


def explain(
    model: Path,
    source: str | None,
    name: str | None,
    post: Mapping[str, Any],
    task: str | None = None,
    weights: Path | None = None,
) -> Iterator[str]:
    """Explain the post `name` of `source`, a manifest or a folder, or the one `post`.

    Without a `source`, the post `name` is one of the model's own set. Yields lines for the user, of
    all tasks or of one. Raises ValueError in one line for what is wrong, also if nothing of the
    post can be read.
    """
    if (name is None) == (not post) or (source is not None and name is None):
        raise ValueError(
            "give --id of a post of the model's own set, an INPUT with --id, or --text, --image, "
            "--video"
        )
    if source == STANDARD_INPUT:
        raise ValueError("standard input is not read here; give a manifest or a folder, and --id")
    predictor = Predictor.load(model, weights=weights)
    tasks = [each.name for each in predictor.tasks]
    if task not in (None, *tasks):
        raise ValueError(f"the model has no task {task!r}; it has {', '.join(tasks)}")
    if name is not None and source is None:
        table, root = own_posts(model)
    else:
        _, root, tables = posts_of(source, post, predictor.at_once)
        table = next(tables)
    if name is not None:
        table = _chosen(table, name, str(source or root.parent))
    predicted = predictor.predict(table, root)
    yield from _failure_lines(predicted, predictor, table)
    confidences = {each: float(predicted[f"{each}.confidence"].iloc[0]) for each in tasks}
    for _, explanation in predictor.explanations(table, root):
        yield from describe(explanation, confidences, task)
    yield from _untrained_line(predictor)


def _chosen(table: pd.DataFrame, name: str, source: str) -> pd.DataFrame:
    chosen = table[table["id"] == name]
    if chosen.empty:
        raise ValueError(f"{source}: no post has the id {name!r}; its first is {table['id'][0]!r}")
    return chosen


def _decision_lines(table: pd.DataFrame, predictor: Predictor) -> Iterator[str]:
    """Yield a line for each task of one post: decision, confidence, all probabilities."""
    row, tasks = table.iloc[0], predictor.tasks
    unsure_below = predictor.decisions.unsure_below
    for task in tasks:
        ranked = sorted(task.classes, key=lambda name: -row[f"{task.name}.p.{name}"])
        every = ", ".join(f"{name} {row[f'{task.name}.p.{name}']:.3f}" for name in ranked)
        confidence = row[f"{task.name}.confidence"]
        yield f"{task.name}: {row[f'{task.name}.decision']}, confidence {confidence:.2f} ({every})"
    low = [task.name for task in tasks if row[f"{task.name}.confidence"] < unsure_below]
    if low:
        yield f"unsure of {', '.join(low)}: confidence below {unsure_below:g}"


def _untrained_line(predictor: Predictor) -> Iterator[str]:
    """Warn that no decision can be trusted if an encoder was never trained."""
    if names := predictor.model.preprocessor.untrained:
        yield (
            f"warning: untrained encoder of {' and '.join(names)}, a random network: these "
            "decisions say nothing about the world (docs/weights.md)"
        )


def _failure_lines(table: pd.DataFrame, predictor: Predictor, posts: pd.DataFrame) -> Iterator[str]:
    """Yield what could not be read of one post; `table` and `posts` have one row.

    Raises NothingReadError if nothing could be read.
    """
    row, post = table.iloc[0], posts.iloc[0]
    for name in predictor.modalities:
        if isinstance(kind := row[f"{name}.failure"], str):
            state = "used in part" if row[f"{name}.present"] else "not used"
            files = [post[key] for key in SOURCES[name] if key != "text" and pd.notna(post[key])]
            yield f"{': '.join([name, *files, kind])}; {state}"
    if not any(row[f"{name}.present"] for name in predictor.modalities):
        raise NothingReadError(
            "the post had nothing that could be read; the model takes "
            f"{', '.join(predictor.modalities)}, and at least one is needed"
        )


def _counts(table: pd.DataFrame, predictor: Predictor) -> Counter[str]:
    present = table[[f"{name}.present" for name in predictor.modalities]].any(axis=1)
    counts = Counter(posts=len(table), nothing=int((~present).sum()))
    counts["unsure"] = int(table["unsure"].sum())
    for name in predictor.modalities:
        for kind, number in table[f"{name}.failure"].value_counts().items():
            counts[f"{name} {kind}"] += int(number)
    return counts


def _in_words(counts: Counter[str]) -> str:
    failed = [f"{key} {n:,}" for key, n in sorted(counts.items()) if key not in _COUNTED]
    parts = [f"{counts['unsure']:,} unsure"]
    if counts["nothing"]:
        parts.append(f"{counts['nothing']:,} with nothing to look at")
    return "; ".join([*parts, f"failures: {', '.join(failed)}" if failed else "no failures"])
