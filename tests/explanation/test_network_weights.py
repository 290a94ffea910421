"""The networks' own weights, by name, of what a row has."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.explanation.network_weights import attention_weights, vertex_name, vertex_weights
from pipeline.explanation.probabilities import in_double
from pipeline.models.fusion import FUSIONS
from pipeline.training.examples import Examples
from tests.training.conftest import examples, make_spec


def three() -> Examples:
    """Examples with a third modality, which every row has."""
    data = examples(longest=3)
    audio = [np.full((2, 3), row % 3, np.float32) for row in range(len(data.ids))]
    return Examples(data.ids, data.split, {**data.sequences, "audio": audio}, data.targets)


def test_vertices_are_named_after_what_they_join() -> None:
    assert vertex_name("text") == "text"
    assert vertex_name(("audio", "text")) == "audio & text"
    deep = (("audio", "text"), ("text", "visual"))
    assert vertex_name(deep) == "(audio + text) & (text + visual)"
    assert vertex_name((deep, "speech")) == "(audio + text + visual) & speech"


def test_the_weights_are_the_networks_own_averaged_over_the_members() -> None:
    data = three()
    spec = make_spec(data.dims, fusion="hgfn", encoder="bigru", members=2)
    networks, rows = spec.build().eval(), np.array([9, 3])
    table = vertex_weights(in_double(networks), data, rows)
    batch = next(data.batches(rows, 2))
    with torch.inference_mode():
        members = [network(batch.sequences, batch.lengths) for network in networks]
    for level, vertices in networks[0].fusion.vertices.items():
        expected = torch.stack([member.fusion_weights[level] for member in members]).mean(dim=0)
        for row, name in enumerate([data.ids[9], data.ids[3]]):
            shown = table[(table["id"] == name) & (table["level"] == level)]
            assert shown["vertex"].tolist() == [vertex_name(vertex) for vertex in vertices]
            np.testing.assert_allclose(shown["weight"], expected[row], atol=1e-5)
    assert table["task"].isna().all()
    assert (table["similarity"].isna() == (table["level"] == "unimodal")).all()


def test_a_vertex_with_a_modality_that_the_row_lacks_is_left_out() -> None:
    data = three()
    spec = make_spec(data.dims, fusion="gfn", encoder="bigru")
    table = vertex_weights(in_double(spec.build()), data, np.arange(3))
    assert not data.present("text")[0]
    assert not data.present("visual")[1]
    assert table[table["id"] == data.ids[0]]["vertex"].tolist() == [
        "audio", "visual", "audio & visual",
    ]  # fmt: skip
    assert table[table["id"] == data.ids[1]]["vertex"].tolist() == [
        "audio", "text", "audio & text",
    ]  # fmt: skip
    assert len(table[table["id"] == data.ids[2]]) == 3 + 3 + 6


@pytest.mark.parametrize("fusion", list(FUSIONS))
def test_every_fusion_has_a_table_if_only_an_empty_one(fusion: str) -> None:
    data = examples()
    spec = make_spec(data.dims, fusion=fusion)
    networks = spec.build()
    table = vertex_weights(in_double(networks), data, np.arange(4))
    assert table.columns.tolist() == ["id", "task", "level", "vertex", "weight", "similarity"]
    assert table.empty == (not networks[0].fusion.vertices)


def test_attention_adds_up_to_one_over_the_steps_that_a_row_has() -> None:
    data = examples(300, longest=4)  # more than a batch
    spec = make_spec(data.dims, encoder="bigru", members=2)
    table = attention_weights(in_double(spec.build()), spec, data, np.arange(300))
    for name, group in table.groupby(["modality", "id"]):
        x = data.sequences[name[0]][data.ids.index(name[1])]
        assert group["step"].tolist() == list(range(len(x)))
        assert group["weight"].sum() == pytest.approx(1)
    lengths = [len(data.sequences[m][row]) for m in ("text", "visual") for row in range(300)]
    assert len(table) == sum(lengths)


def test_the_equal_weights_of_pooling_are_not_shown_as_attention() -> None:
    data = examples()
    spec = make_spec(data.dims, encoder="pooled")
    assert attention_weights(in_double(spec.build()), spec, data, np.arange(3)).empty


def test_networks_of_single_tasks_have_weights_of_their_own() -> None:
    data = examples(longest=3)
    spec = make_spec(data.dims, fusion="hgfn", mtl="single", encoder="bigru")
    members, rows = in_double(spec.build()), np.array([2])
    for table in (
        vertex_weights(members, data, rows),
        attention_weights(members, spec, data, rows),
    ):
        assert table["task"].unique().tolist() == [task.name for task in spec.tasks]
        assert table.groupby("task").size().nunique() == 1
