"""Train one data set's network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dvclive import Live

from pipeline import runtime
from pipeline.evaluation.scores import select, unscored_notes, validation_scores
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.ground.messages import echo
from pipeline.ground.progress import progress
from pipeline.inputs.feature_file import FeatureFile, features_line
from pipeline.inputs.parquet import read_table
from pipeline.params import TrainParams, load_params
from pipeline.training.checkpoint import Checkpoint, training_key
from pipeline.training.examples import Examples, label_counts, load_training_set
from pipeline.training.fit import make_repeatable
from pipeline.training.members import Trained, train_members
from pipeline.training.model import ModelSpec, save_model
from pipeline.training.shots import few_shots, shots_note


def train(name: str) -> None:
    """Train on one data set; writes the best epoch's model and a log of every epoch."""
    data, params = data_set(name), load_params()
    make_repeatable()
    examples, tasks, notes = load_training_set(data, params.train.modalities)
    if shots := params.train.shots:
        full, examples = examples, few_shots(examples, tasks, shots, params.seed)
        notes.append(shots_note(full, examples, tasks, shots))
    for note in notes:
        echo(f"{name}: {note}")
    encoder = data.encoder_of(read_table(data.index))
    spec = ModelSpec.of(examples, encoder, tasks, params.fusion, params.mtl, params.train)
    key = training_key(spec, examples, params.train, params.seed, runtime.device())
    checkpoints = [
        Checkpoint(
            runtime.cache_folder() / runtime.CHECKPOINTS,
            f"{key}-{member}",
            runtime.checkpoint_interval(),
            notify=lambda message: echo(f"{name}: {message}"),
        )
        for member in range(spec.members)
    ]
    with Live(f"plots/{name}/live", save_dvc_exp=False, dvcyaml=None, report=None) as live:
        trained = _train(name, spec, examples, params.train, params.seed, live, checkpoints)
    labelled, positives = label_counts(examples, tasks)
    facts = trained.facts
    files = {modality: FeatureFile(data.features(modality)) for modality in spec.modalities}
    save_model(
        Path("models") / name,
        trained.networks,
        spec,
        **facts,
        seed=params.seed,
        labelled=labelled,
        positives=positives,
        features={modality: file.source for modality, file in files.items()},
    )
    for checkpoint in checkpoints:
        checkpoint.remove()
    echo(f"{name}: {features_line(files)}")
    echo(
        f"{name}: {spec.fusion.name} + {spec.mtl.name} on {', '.join(spec.modalities)}, "
        f"{facts['parameters']:,} parameters; {facts['epochs']} epochs, best of each member: "
        + ", ".join(map(str, facts["best_epochs"]))
    )


def _train(
    name: str,
    spec: ModelSpec,
    examples: Examples,
    params: TrainParams,
    seed: int,
    live: Live,
    checkpoints: Sequence[Checkpoint],
) -> Trained:
    truth = select(examples.targets, examples.rows("val"))
    for note in unscored_notes(spec.tasks, truth, "validation"):
        echo(f"{name}: {note}")
    with progress("epochs", params.members * params.max_epochs) as advance:

        def log(epoch: int, values: dict[str, float]) -> None:
            live.step = epoch
            for key, value in values.items():
                live.log_metric(key, value)
            advance()

        return train_members(
            spec,
            examples,
            params,
            seed=seed,
            score=partial(validation_scores, spec.tasks, truth),
            log=log,
            device=runtime.device(),
            checkpoints=checkpoints,
        )


if __name__ == "__main__":
    run(train)
