"""Build a data set's page from what the pipeline wrote."""

from __future__ import annotations

from pathlib import Path

from pipeline.evaluation.literature import Comparison, beside_ours, read_literature, split_names
from pipeline.explanation.probabilities import in_double
from pipeline.ground.data_set import DataSet
from pipeline.params import Params
from pipeline.report.learning import contributions, fusion_levels
from pipeline.report.material import Material, read_material
from pipeline.report.page import Findings, write_page
from pipeline.report.samples import choose_rows, describe
from pipeline.training.examples import load_examples
from pipeline.training.model import load_model, read_config


def build_page(data: DataSet, params: Params) -> str:
    """Read a data set's results and its model, and write its page.

    Raises ValueError naming the file that is missing or of another run.
    """
    material = read_material(data)
    networks, spec = load_model(Path("models") / data.name)
    members = in_double(networks)
    features = {modality: data.features(modality) for modality in spec.modalities}
    examples = load_examples(
        material.index, material.tasks, features, pooled=spec.encoder == "pooled"
    )
    test, chosen = material.test, choose_rows(material, params.report.samples)
    decided = {task.name: material.decided(task)[test] for task in material.tasks}
    added = contributions(members, spec, examples, test, decided)
    findings = Findings(
        facts=read_config(Path("models") / data.name),
        levels=fusion_levels(members, examples, test),
        contributions=added,
        samples=describe(material, chosen, params.report.thumbnails, added),
        literature=_literature(material, params),
        thumbnails=params.report.thumbnails,
        split=params.data.of(data.name).split,
    )
    return write_page(material, findings)


def _literature(material: Material, params: Params) -> list[Comparison]:
    name, literature = material.data.name, read_literature()
    splits = split_names(params.data.of(name), material.index, material.tasks)
    return list(
        beside_ours(literature, name, material.tasks, splits, material.metrics, params.train.shots)
    )
