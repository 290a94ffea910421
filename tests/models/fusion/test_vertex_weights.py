"""Importances and vertex weights of HGFN that are learned for each row, shared, or equal."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pipeline.models.fusion.hgfn import HGFN

DIMS = {"visual": 7, "text": 5, "audio": 6}
PRESENT = {m: torch.tensor([True, True, m != "audio"]) for m in DIMS}


def weights(fusion: HGFN, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    out = fusion(features, PRESENT)
    return {name: out.weights[name] for name in fusion.vertices}


def test_uniform_weights_are_one_and_equal_over_the_complete_vertices(batch: Any) -> None:
    fusion = HGFN(DIMS, width=8, vertex_weights="uniform").double()
    out = weights(fusion, batch(DIMS, 3))
    assert out["unimodal"].tolist() == [[1, 1, 1], [1, 1, 1], [0, 1, 1]]
    third = 1 / 3
    assert out["bimodal"].tolist() == [[third] * 3, [third] * 3, [0, 0, 1]]
    torch.testing.assert_close(out["trimodal"][:2], torch.full((2, 6), 1 / 6).double())
    assert (out["trimodal"][2] == 0).all()


@pytest.mark.parametrize("training", [True, False])
def test_mean_weights_are_those_of_every_row_and_learned_ones_are_not(
    training: bool, batch: Any
) -> None:
    features = batch(DIMS, 3)
    learned = HGFN(DIMS, width=8).double().train(training)
    mean = HGFN(DIMS, width=8, vertex_weights="mean").double().train(training)
    mean.load_state_dict(learned.state_dict(), strict=False)
    for name, values in weights(mean, features).items():
        torch.testing.assert_close(values[0], values[1])
        assert not torch.allclose(*weights(learned, features)[name][:2])


def test_mean_importances_are_the_batchs_in_training_and_a_running_mean_in_evaluation(
    batch: Any,
) -> None:
    learned = HGFN(DIMS, width=8).double()
    mean = HGFN(DIMS, width=8, vertex_weights="mean").double()
    mean.load_state_dict(learned.state_dict(), strict=False)
    features = batch(DIMS, 3)
    importances = weights(learned, features)["unimodal"]
    # Columns are sorted: audio is absent from the last row.
    expected = torch.stack([importances[:2, 0].mean(), *importances[:, 1:].mean(dim=0)])
    torch.testing.assert_close(weights(mean.train(), features)["unimodal"][0], expected)
    for _ in range(200):
        mean(features, PRESENT)
    torch.testing.assert_close(weights(mean.eval(), features)["unimodal"][0], expected)


def test_a_vertex_absent_from_a_whole_batch_leaves_its_running_mean_as_it_was(batch: Any) -> None:
    mean = HGFN(DIMS, width=8, vertex_weights="mean").double().train()
    before = mean.scores[0].mean.clone()
    mean(batch(DIMS, 3), PRESENT | {"audio": torch.tensor([False, False, False])})
    changed = (mean.scores[0].mean != before).flatten()
    assert changed.tolist() == [False, True, True]


def test_mean_weights_train_the_attention_unit_by_the_batchs_mean(batch: Any) -> None:
    mean = HGFN(DIMS, width=8, vertex_weights="mean").double().train()
    mean(batch(DIMS, 3)).joint.square().sum().backward()
    assert all((parameter.grad != 0).any() for parameter in mean.attention.parameters())
