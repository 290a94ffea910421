from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.models.encoders import build_encoder
from pipeline.models.fusion import FUSIONS, build_fusion
from pipeline.models.network import MultimodalNetwork, SeparateNetworks, TaskHeads, Trunk
from pipeline.models.standardise import Standardise

DIMS = {"visual": 4, "text": 5, "audio": 3}
OUTPUTS = {"informative": 2, "damage": 3, "flood": 1}


def network(
    name: str = "hgfn", encoder: str = "bigru", tasks: tuple[str, ...] = ("informative", "flood")
) -> MultimodalNetwork:
    encoders = {m: build_encoder(encoder, dim, hidden=3) for m, dim in DIMS.items()}
    fusion = build_fusion(name, {m: module.dim for m, module in encoders.items()}, width=8)
    trunk, heads = (
        Trunk(fusion.joint_dim, 7),
        TaskHeads(7, {task: OUTPUTS[task] for task in tasks}, hidden=4),
    )
    scales = {m: Standardise.fit(dim, [torch.randn(9, dim)]) for m, dim in DIMS.items()}
    return MultimodalNetwork(encoders, fusion, trunk, heads, scales).double()


def inputs(rows: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    steps = {"visual": 4, "text": 6, "audio": 2}
    sequences = {m: torch.randn(rows, steps[m], dim).double() for m, dim in DIMS.items()}
    lengths = {m: torch.randint(1, steps[m] + 1, (rows,)) for m in DIMS}
    return sequences, lengths


@pytest.mark.parametrize("name", sorted(FUSIONS))
@pytest.mark.parametrize("encoder", ["bigru", "pooled"])
def test_output_has_everything_on_the_way(name: str, encoder: str) -> None:
    model = network(name, encoder)
    sequences, lengths = inputs(3)
    out = model(sequences, lengths)
    assert {task: x.shape for task, x in out.logits.items()} == {
        "informative": (3, 2),
        "flood": (3, 1),
    }
    assert out.hidden["flood"].shape == (3, 4)
    assert out.shared.shape == (3, 7)
    assert len(out.levels) == len(model.fusion.level_dims)
    assert out.auxiliary == []
    assert out.attention["text"].shape == (3, 6)
    assert not out.fusion_weights["absent"].any()
    assert not any(x.requires_grad for x in (out.attention | out.fusion_weights).values())


@pytest.mark.parametrize("name", sorted(FUSIONS))
@pytest.mark.parametrize("encoder", ["bigru", "pooled"])
def test_length_zero_is_an_absent_modality(name: str, encoder: str) -> None:
    model = network(name, encoder)
    sequences, lengths = inputs(4)
    lengths["audio"] = torch.tensor([0, 2, 0, 1])
    lengths["text"][2] = lengths["visual"][2] = 0
    for modality in DIMS:
        sequences[modality][lengths[modality] == 0] = float("nan")
        sequences[modality].requires_grad_()
    out = model(sequences, lengths)
    assert out.fusion_weights["absent"].tolist() == [False, False, True, False]
    sum(x.square().sum() for x in out.logits.values()).backward()
    for x in out.logits.values():
        assert x.isfinite().all()
    for parameter in model.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()
    for modality in DIMS:
        gradient = sequences[modality].grad
        assert gradient is not None
        assert (gradient[lengths[modality] == 0] == 0).all()


def test_parts_for_other_modalities_are_an_error() -> None:
    model = network()
    fusion = build_fusion("cfc", {"text": 6, "visual": 6})
    encoders = dict(zip(model.modalities, model.encoders, strict=True))
    with pytest.raises(ValueError, match=r"encoders are for \['audio', 'text', 'visual'\]"):
        MultimodalNetwork(encoders, fusion, model.trunk, model.heads, {})
    two = {name: encoders[name] for name in fusion.modalities}
    with pytest.raises(ValueError, match=r"standardise are for \[\]"):
        MultimodalNetwork(two, fusion, model.trunk, model.heads, {})


@pytest.mark.parametrize("name", ["hgfn", "cfc"])
def test_separate_networks_give_each_networks_output_side_by_side(name: str) -> None:
    networks = {task: network(name, tasks=(task,)).eval() for task in ("informative", "flood")}
    batch = inputs(3)
    out = SeparateNetworks(networks)(*batch)
    own = {task: model(*batch) for task, model in networks.items()}
    assert list(out.logits) == list(out.hidden) == list(networks)
    for task, expected in own.items():
        assert torch.equal(out.logits[task], expected.logits[task])
        assert torch.equal(out.hidden[task], expected.hidden[task])
        for key, value in expected.fusion_weights.items():
            assert torch.equal(out.fusion_weights[f"{task}/{key}"], value)
        assert torch.equal(out.attention[f"{task}/text"], expected.attention["text"])
    assert torch.equal(out.shared, torch.cat([model.shared for model in own.values()], 1))
    assert [x.shape for x in out.levels] == [(3, 16)] * len(own["flood"].levels)
    assert out.auxiliary == []


def test_a_tasks_loss_reaches_its_own_separate_network_alone() -> None:
    model = SeparateNetworks({task: network(tasks=(task,)) for task in ("informative", "flood")})
    model(*inputs(3)).logits["flood"].square().sum().backward()
    of_other, of_task = model.networks
    assert all(parameter.grad is None for parameter in of_other.parameters())
    assert any(parameter.grad is not None for parameter in of_task.parameters())


def test_logits_are_the_last_linear_of_hidden() -> None:
    heads = TaskHeads(6, OUTPUTS, hidden=4).train()
    logits, hidden, auxiliary = heads(torch.randn(5, 6), [torch.randn(5, 2)])
    assert auxiliary == []
    assert list(logits) == list(hidden) == list(OUTPUTS)
    for task, last in zip(OUTPUTS, heads.last, strict=True):
        assert logits[task].shape == (5, OUTPUTS[task])
        # Under dropout too: hidden is what that layer read.
        assert torch.equal(logits[task], last(hidden[task]))


def test_dropout_acts_in_training_only() -> None:
    heads = TaskHeads(6, OUTPUTS, hidden=64, dropout=0.5)
    joint = torch.randn(5, 6)
    assert (heads(joint)[1]["flood"] == 0).any()
    heads.eval()
    assert torch.equal(heads(joint)[0]["flood"], heads(joint)[0]["flood"])
    assert not (heads(joint)[1]["flood"] == 0).any()


def test_tasks_share_nothing_after_the_shared_representation() -> None:
    heads = TaskHeads(6, OUTPUTS, hidden=4).eval()
    joint = torch.randn(5, 6, requires_grad=True)
    heads(joint)[0]["damage"].sum().backward()
    used = [last.weight.grad is not None for last in heads.last]
    assert used == [False, True, False]
    assert [first[0].weight.grad is not None for first in heads.first] == used
    assert joint.grad is not None


def test_task_names_may_be_any_text() -> None:
    outputs = {"train": 1, "v1.0 (severe)": 2}
    heads = TaskHeads(3, outputs)
    assert list(heads(torch.randn(2, 3))[0]) == list(outputs)


def test_input_dropout_removes_standardised_features_in_training_only() -> None:
    fusion = build_fusion("cfc", {"text": 50})
    scale = {"text": Standardise.fit(50, [torch.randn(9, 50)])}
    encoders = {"text": build_encoder("pooled", 50)}
    heads = TaskHeads(50, {"flood": 1})
    model = MultimodalNetwork(encoders, fusion, torch.nn.Identity(), heads, scale, 0.5)
    x, lengths = {"text": torch.randn(4, 1, 50)}, {"text": torch.ones(4, dtype=torch.int64)}
    whole = model.eval()(x, lengths).shared
    dropped = model.train()(x, lengths).shared
    assert 0.3 < (dropped == 0).double().mean() < 0.7
    torch.testing.assert_close(dropped, torch.where(dropped == 0, 0.0, 2 * whole))


def test_task_weights_reach_cfcs_probabilities_through_the_shared_layer_alone() -> None:
    """Adam divides by the gradient's size, and without that layer tasks share no parameter."""
    x, lengths = {"text": torch.randn(60, 1, 8)}, {"text": torch.ones(60, dtype=torch.int64)}
    labels = (x["text"][:, 0, :2] > torch.tensor([0.0, 1.0])).float()

    def trained(weights: list[float], trunk: torch.nn.Module) -> Tensor:
        torch.manual_seed(0)
        fusion = build_fusion("cfc", {"text": 8})
        heads = TaskHeads(8, {"a": 1, "b": 1}, dropout=0.0)
        encoders, scales = {"text": build_encoder("pooled", 8)}, {"text": Standardise(8)}
        model = MultimodalNetwork(encoders, fusion, trunk, heads, scales)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(40):
            logits = torch.cat(list(model(x, lengths).logits.values()), dim=1)
            rows = binary_cross_entropy_with_logits(logits, labels, reduction="none")
            optimizer.zero_grad()
            (rows.mean(dim=0) @ torch.tensor(weights)).backward()
            optimizer.step()
        return logits.sigmoid().detach()

    trunk = Trunk(8, 8, dropout=0.0)
    for start, least, most in ((torch.nn.Identity(), 0.0, 0.01), (trunk, 0.1, 1.0)):
        equal, unequal = (trained(w, deepcopy(start)) for w in ([1.0, 1.0], [10.0, 0.1]))
        assert least <= (equal - unequal).abs().max() < most
