from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.fusion.hgfn import HGFN

DIMS = {"visual": 7, "text": 5, "audio": 6}


def summing_fusion(tri_weight: str) -> HGFN:
    """Width 4, where w_m is the mean of x_m and CONV adds its two partners (positive inputs)."""
    fusion = HGFN({"a": 4, "b": 4, "c": 4}, align="pad", tri_weight=tri_weight).double()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.zero_()
        fusion.attention.conv.weight[0, 0, 2, 2] = 1.0
        fusion.attention.mix.weight[0, 0] = 1.0
        for network in fusion.networks:
            network.conv.weight[0, 0, 2] = 1.0
            network.dense.weight.copy_(torch.eye(4).repeat(1, 2))
    return fusion


@pytest.mark.parametrize("tri_weight", ["w", "q", "scaled"])
def test_hand_computed_example_of_equations_2_4_5_6_7(tri_weight: str) -> None:
    a = np.array([1.0, 2.0, 0.5, 0.1])
    b = np.array([0.3, 0.2, 1.5, 2.0])
    c = np.array([2.0, 0.1, 0.1, 0.6])
    w_a, w_b, w_c = 0.9, 1.0, 0.7  # their means
    uni = (0.9 * a + 1.0 * b + 0.7 * c) / 3  # eq. 2

    def similarity(x: np.ndarray, y: np.ndarray) -> float:  # eq. 4
        x, y = np.exp(x) / np.exp(x).sum(), np.exp(y) / np.exp(y).sum()
        return float((x * y).sum() / np.sqrt((x**2).sum()) / np.sqrt((y**2).sum()))

    ab, ac, bc = a + b, a + c, b + c  # eq. 3 with a CONV that adds
    q_ab = 1.9 / (similarity(a, b) + 0.5)  # eq. 5
    q_ac = 1.6 / (similarity(a, c) + 0.5)
    q_bc = 1.7 / (similarity(b, c) + 0.5)
    total = np.exp(q_ab) + np.exp(q_ac) + np.exp(q_bc)
    w_ab, w_ac, w_bc = np.exp(q_ab) / total, np.exp(q_ac) / total, np.exp(q_bc) / total
    bi = w_ab * ab + w_ac * ac + w_bc * bc  # eq. 6

    u_ab, u_ac, u_bc = {
        "w": (w_ab, w_ac, w_bc),
        "q": (q_ab, q_ac, q_bc),
        "scaled": (3 * w_ab, 3 * w_ac, 3 * w_bc),
    }[tri_weight]
    q = np.array(
        [
            (u_ab + u_bc) / (similarity(ab, bc) + 0.5),
            (u_ab + u_ac) / (similarity(ab, ac) + 0.5),
            (u_bc + u_ac) / (similarity(bc, ac) + 0.5),
            (u_ab + w_c) / (similarity(ab, c) + 0.5),
            (u_bc + w_a) / (similarity(bc, a) + 0.5),
            (u_ac + w_b) / (similarity(ac, b) + 0.5),
        ]
    )
    w = np.exp(q) / np.exp(q).sum()
    tri = w @ np.stack([ab + bc, ab + ac, bc + ac, ab + c, bc + a, ac + b])

    fusion = summing_fusion(tri_weight)
    out = fusion({name: torch.tensor(x)[None] for name, x in zip("abc", (a, b, c), strict=True)})
    np.testing.assert_allclose(out.weights["unimodal"][0], [0.9, 1.0, 0.7], rtol=1e-12)
    np.testing.assert_allclose(out.weights["bimodal"][0], [w_ab, w_ac, w_bc], rtol=1e-12)
    np.testing.assert_allclose(out.weights["trimodal"][0], w, rtol=1e-12)
    expected = np.concatenate([uni, bi, tri])  # eq. 7
    np.testing.assert_allclose(out.joint[0].detach(), expected, rtol=1e-12)


def similarity_of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """S of eq. 4 for two modalities (B, D) that reach the graph as they are."""
    width = a.shape[1]
    fusion = HGFN({"a": width, "b": width}, align="pad").to(a.dtype)
    return fusion({"a": a, "b": b}).weights["similarity.bimodal"][:, 0]


@pytest.mark.parametrize("deviation", [0.1, 0.3, 0.5, 1.0])
def test_similarity_of_gaussian_vectors_is_exp_of_minus_variance(deviation: float) -> None:
    a, b = deviation * torch.randn(2, 8, 2048)
    expected = np.exp(-(deviation**2))
    assert similarity_of(a, b).mean().item() == pytest.approx(expected, rel=0.05)


@given(st.floats(0.0, 30.0), st.integers(1, 8))
def test_similarity_lies_in_zero_to_one(scale: float, width: int) -> None:
    a, b = scale * torch.randn(2, 3, width, dtype=torch.float64)
    S = similarity_of(a, b)
    assert (S > 0).all()
    assert (S <= 1 + 1e-12).all()
    torch.testing.assert_close(similarity_of(a, a), torch.ones(3, dtype=torch.float64))


def test_layer_norm_of_the_vertices_spreads_the_trimodal_similarities(batch: Any) -> None:
    dims = {name: 256 for name in "abc"}
    plain, normed = HGFN(dims), HGFN(dims, vertex_norm="layer")
    normed.load_state_dict(plain.state_dict())
    features = {name: torch.randn(64, 256) for name in dims}
    S, S_normed = (fusion(features).weights["similarity.trimodal"] for fusion in (plain, normed))
    # The first three join two vertices, which without the norm are small and so look alike.
    assert S_normed.mean() < S.mean() - 0.1
    assert S_normed[:, :3].std() > 3 * S[:, :3].std()


def bimodal_gradient_by_theta(fusion: HGFN, features: dict[str, torch.Tensor]) -> torch.Tensor:
    """Gradient of the bimodal level with respect to theta."""
    theta = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    fusion.theta = theta
    (gradient,) = torch.autograd.grad(fusion(features).levels[1].square().sum(), theta)
    return gradient


def test_two_modalities_make_theta_inert(batch: Any) -> None:
    dims = {"text": 5, "visual": 7}
    fusion = HGFN(dims, width=8).double()
    out = fusion(batch(dims, 3))
    assert (out.weights["bimodal"] == 1).all()
    assert out.joint.shape == (3, fusion.joint_dim) == (3, 2 * 8)
    assert bimodal_gradient_by_theta(fusion, batch(dims, 3)) == 0


def test_three_modalities_do_not(batch: Any) -> None:
    assert bimodal_gradient_by_theta(HGFN(DIMS, width=8).double(), batch(DIMS, 3)) != 0


def test_ordered_pairs_with_a_symmetric_vertex_give_the_unordered_level(batch: Any) -> None:
    unordered = summing_fusion("w")
    ordered = HGFN({"a": 4, "b": 4, "c": 4}, align="pad", pairs="ordered").double()
    ordered.load_state_dict(unordered.state_dict())
    features = {name: x.abs() for name, x in batch({"a": 4, "b": 4, "c": 4}, 3).items()}
    one, both = unordered(features), ordered(features)
    torch.testing.assert_close(both.levels[1], one.levels[1], rtol=1e-12, atol=1e-12)
    weights = both.weights["bimodal"].unflatten(1, (3, 2))
    torch.testing.assert_close(weights[..., 0], one.weights["bimodal"] / 2)
    torch.testing.assert_close(weights[..., 1], one.weights["bimodal"] / 2)


def test_ordered_pairs_average_both_orders(batch: Any) -> None:
    dims = {"a": 6, "b": 6}
    unordered = HGFN(dims, align="pad").double()
    ordered = HGFN(dims, align="pad", pairs="ordered").double()
    ordered.load_state_dict(unordered.state_dict())
    features = batch(dims, 3)
    network = unordered.networks[0]
    a, b = features["a"].unsqueeze(1), features["b"].unsqueeze(1)
    mean = (network(a, b) + network(b, a)) / 2
    torch.testing.assert_close(ordered(features).levels[1], mean[:, 0])
    assert ordered.vertices["bimodal"] == [("a", "b"), ("b", "a")]


def test_vector_weights_of_a_constant_map_equal_scalar_weights(batch: Any) -> None:
    scalar = HGFN(DIMS, width=8).double()
    vector = HGFN(DIMS, width=8, weight="vector").double()
    with torch.no_grad():
        scalar.attention.mix.weight.zero_()
        scalar.attention.mix.bias.fill_(0.75)
    vector.load_state_dict(scalar.state_dict())
    features = batch(DIMS, 3)
    torch.testing.assert_close(
        scalar(features).joint, vector(features).joint, rtol=1e-13, atol=1e-13
    )


def test_unimodal_level_is_linear_in_the_importances(batch: Any) -> None:
    fusion = HGFN(DIMS, width=8).double()
    features = batch(DIMS, 3)
    with torch.no_grad():
        fusion.attention.mix.weight.abs_()
        fusion.attention.conv.weight.abs_()
        fusion.attention.mix.bias.zero_()
        positive = {name: x.abs() for name, x in features.items()}
        once = fusion(positive).levels[0]
        fusion.attention.mix.weight.mul_(3)
        # LeakyReLU is homogeneous: three times the last layer is three times every w.
        torch.testing.assert_close(fusion(positive).levels[0], 3 * once)


def test_pad_mode_puts_zeros_after_the_features_up_to_the_widest(batch: Any) -> None:
    fusion = HGFN(DIMS, width=256, align="pad", max_order=1).double()
    assert fusion.level_dims == [7]
    with torch.no_grad():
        fusion.attention.mix.weight.zero_()  # w = 1 for every modality
    features = batch(DIMS, 2)
    padded = [torch.nn.functional.pad(x, (0, 7 - x.shape[1])) for x in features.values()]
    torch.testing.assert_close(fusion(features).joint, torch.stack(padded).mean(dim=0))


@given(count=st.integers(1, 6), rows=st.integers(1, 3), data=st.data())
def test_vertex_weights_of_a_level_sum_to_one(count: int, rows: int, data: st.DataObject) -> None:
    dims = {name: 3 for name in "abcdef"[:count]}
    order = data.draw(st.integers(1, min(count, 4)))
    fusion = HGFN(dims, width=4, max_order=order)
    weights = fusion({name: torch.randn(rows, 3) for name in dims}).weights
    assert fusion.level_dims == [4] * order
    for name in list(fusion.vertices)[1:]:
        torch.testing.assert_close(weights[name].sum(dim=1), torch.ones(rows))


def test_levels_end_at_the_third_unless_max_order_says_otherwise() -> None:
    dims = {name: 4 for name in "abcd"}
    assert list(HGFN(dims).vertices) == ["unimodal", "bimodal", "trimodal"]
    assert list(HGFN(dims, max_order=2).vertices) == ["unimodal", "bimodal"]
    assert list(HGFN(dims, max_order=4).vertices)[3:] == ["4-modal"]


def test_max_order_is_an_upper_bound_that_fits_sets_of_fewer_modalities() -> None:
    two = HGFN({"a": 4, "b": 4}, max_order=3)
    assert list(two.vertices) == ["unimodal", "bimodal"]
    assert two.level_dims == [256, 256]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("theta", 0.0, "theta is 0.0"),
        ("theta", 1.0, "theta is 1.0"),
        ("theta", float("nan"), "theta is nan"),
        ("align", "neither", "align is 'neither'; allowed: linear, plain, pad"),
        ("max_order", 0, "max_order is 0; allowed: whole numbers from 1"),
    ],
)
def test_a_value_out_of_range_is_an_error(option: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HGFN(DIMS, **{option: value})


def test_parameter_counts() -> None:
    def count(fusion: HGFN) -> int:
        return sum(parameter.numel() for parameter in fusion.parameters())

    dims = {"audio": 1024, "text": 1024, "visual": 2048}
    attention = (16 * 25 + 16) + (16 + 1)
    # One CONV of eq. 3: 8.4 million in the paper's reading, 0.5 million at width 256.
    padded = (5 + 1) + (2 * 2048 * 2048 + 2048)
    assert count(HGFN(dims, align="pad")) == attention + 2 * padded
    linear = (4 * 5 + 4) + (2 * 256 * 4 * 256 + 256)
    projections = 256 * (1024 + 1024 + 2048) + 3 * (256 + 2 * 256)
    assert count(HGFN(dims)) == projections + attention + 2 * linear
