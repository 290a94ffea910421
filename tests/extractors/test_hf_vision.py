from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.extractors import hf_folder
from pipeline.extractors.encoder import Run
from pipeline.extractors.hf_vision import FAMILIES, HFVisual, read_preparation

pytest.importorskip("transformers", reason="the extra `encoders` is not installed")

FLOAT32, BFLOAT16 = (SimpleNamespace(precision=p) for p in ("float32", "bfloat16"))
BODY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES = BODY | {"intermediate_size": 48, "patch_size": 8}


def tiny(kind: str) -> tuple[Any, Any]:
    """A seeded network of a family, all of it, and what prepares its pictures."""
    t = hf_folder.library()
    torch.manual_seed(0)
    text = BODY | {"intermediate_size": 48, "vocab_size": 30, "max_position_embeddings": 8}
    square, shorter = {"height": 32, "width": 32}, {"shortest_edge": 40}
    if kind == "clip":
        # The projection's width stands beside both towers, as in old published files.
        config = t.CLIPConfig(
            text_config=text, vision_config=SIZES | {"image_size": 32}, projection_dim=24
        )
        processor = t.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=square)
        return t.CLIPModel(config), processor
    if kind == "siglip":
        config = t.SiglipConfig(text_config=text, vision_config=SIZES | {"image_size": 32})
        return t.SiglipModel(config), t.SiglipImageProcessor(size=square, resample=2)
    if kind == "dinov2":  # trained on larger pictures: its positions are interpolated
        config = t.Dinov2Config(**BODY, mlp_ratio=2, patch_size=8, image_size=48)
        return t.Dinov2Model(config), t.BitImageProcessor(size=shorter, crop_size=square)
    if kind == "dinov3_vit":
        config = t.DINOv3ViTConfig(**SIZES, image_size=32, num_register_tokens=2)
        return t.DINOv3ViTModel(config), t.DINOv3ViTImageProcessor(size=square)
    config = t.ViTConfig(**SIZES, image_size=32)
    return t.ViTForImageClassification(config), t.ViTImageProcessor(size=square)


KINDS = ("clip", "siglip", "dinov2", "dinov3_vit", "vit")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each family, as save_pretrained writes it."""
    root = tmp_path_factory.mktemp("hub")
    for kind in KINDS:
        network, processor = tiny(kind)
        for name, tensor in network.named_parameters():  # so small networks start almost empty
            tensor.data += 0.3 * torch.randn_like(tensor) if "norm" not in name.lower() else 0
        network.save_pretrained(root / kind)
        processor.save_pretrained(root / kind)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(scope="module", params=KINDS)
def encoder(
    request: pytest.FixtureRequest,
    folders: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> HFVisual:
    folder = tmp_path_factory.mktemp(request.param)
    HFVisual.obtain(str(folders[request.param]), "pretrained", folder)
    return HFVisual.of(folder, FLOAT32)


@pytest.fixture(scope="module")
def run(encoder: HFVisual) -> Run:
    """The encoder, loaded once."""
    return encoder.load()


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    """Smooth pictures: wide, tall, smaller than the network's input, and very long."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    sizes = [(83, 51), (45, 90), (20, 17), (300, 4)]
    both = zip(coarse, sizes, strict=True)
    return [np.asarray(Image.fromarray(c).resize(s, Image.Resampling.BICUBIC)) for c, s in both]


@torch.inference_mode()
def plain(folder: Path, values: torch.Tensor) -> torch.Tensor:
    """The whole model's own vector, as its documentation takes it."""
    t = hf_folder.library()
    kind = folder.name
    if kind in ("clip", "siglip"):
        output = t.AutoModel.from_pretrained(folder).eval().get_image_features(values)
        return output if isinstance(output, torch.Tensor) else output.pooler_output
    network = t.AutoModel.from_pretrained(folder).eval()
    output = network(values)
    return output.last_hidden_state[:, 0] if kind == "vit" else output.pooler_output


def test_features_are_the_librarys(
    encoder: HFVisual, run: Run, folders: dict[str, Path], photos: list[np.ndarray]
) -> None:
    pictures = np.stack([encoder.prepare(photo) for photo in photos])
    values = encoder.preparation.normalise(torch.from_numpy(pictures))
    expected = plain(folders[encoder.kind], values).numpy()
    for actual in (run([pictures])[0], np.concatenate(run([one[None] for one in pictures]))):
        assert actual.shape == (len(photos), encoder.dim)
        assert actual.dtype == np.float32
        assert np.abs(actual - expected).max() < 1e-5 * max(np.abs(expected).max(), 1)


def test_pictures_are_prepared_as_by_the_library(
    encoder: HFVisual, folders: dict[str, Path], photos: list[np.ndarray]
) -> None:
    t, folder = hf_folder.library(), folders[encoder.kind]
    deviation = torch.tensor(encoder.preparation.deviation)[:, None, None]
    # With Pillow to the pixel; torchvision's resizing may round to the neighbouring value, and
    # DINOv3's processor has only that, without rounding.
    for backend, levels in (("pil", 0.01), ("torchvision", 1.01))[encoder.kind == "dinov3_vit" :]:
        processor = t.AutoImageProcessor.from_pretrained(folder, backend=backend)
        for photo in photos[:3]:
            expected = processor(Image.fromarray(photo), return_tensors="pt")["pixel_values"]
            picture = torch.from_numpy(encoder.prepare(photo)[None])
            difference = (encoder.preparation.normalise(picture) - expected).abs() * deviation * 255
            assert difference.max() < levels, backend


def test_a_pictures_bytes_depend_on_no_company_and_no_process(
    encoder: HFVisual, run: Run, photos: list[np.ndarray]
) -> None:
    inputs = [encoder.prepare(photo)[None] for photo in photos]
    alone = [run([one])[0].tobytes() for one in inputs]
    worker: HFVisual = pickle.loads(pickle.dumps(encoder))  # as it comes to a worker
    together = worker.load()(inputs[::-1])[::-1]
    assert [one.tobytes() for one in together] == alone
    assert len(set(alone)) == len(alone)


def test_bfloat16_is_near_float32(encoder: HFVisual, run: Run, photos: list[np.ndarray]) -> None:
    rounded = HFVisual.of(encoder.folder, BFLOAT16)
    pair = [one([encoder.prepare(photos[0])[None]])[0][0] for one in (rounded.load(), run)]
    assert pair[0].dtype == np.float32
    assert not np.array_equal(*pair)
    assert pair[0] @ pair[1] / np.linalg.norm(pair[0]) / np.linalg.norm(pair[1]) > 0.999
    assert rounded.identity() != encoder.identity()


def test_every_family_has_a_network_of_this_transformers() -> None:
    t = hf_folder.library()
    for kind, family in FAMILIES.items():
        assert kind in t.CONFIG_MAPPING
        assert family.architecture is None or hasattr(t, family.architecture)


def change(folder: Path, to: Path, name: str, **values: object) -> str:
    """Copy a folder, with other values in one of its JSON files; None removes a key."""
    shutil.copytree(folder, to)
    content = json.loads((to / name).read_text()) | values
    (to / name).write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return str(to)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("preprocessor_config.json", {"image_mean": None}, "image_mean: Field required"),
        ("preprocessor_config.json", {"do_normalize": False}, "do_normalize: .*True"),
        ("preprocessor_config.json", {"size": {"longest_edge": 9}}, "size: .*square"),
        ("preprocessor_config.json", {"crop_size": 40}, "cut to 40; the second must not"),
        ("preprocessor_config.json", {"crop_size": 24}, "24 pixels wide, but .* takes 32"),
        ("config.json", {"model_type": "bert"}, "'bert' is no picture encoder"),
    ],
)
def test_what_does_not_fit_is_refused(
    folders: dict[str, Path], tmp_path: Path, name: str, values: dict[str, object], message: str
) -> None:
    source = change(folders["clip"], tmp_path / "source", name, **values)
    with pytest.raises(ValueError, match=message):
        HFVisual.obtain(source, "pretrained", tmp_path / "to")


def test_settings_that_are_not_json_are_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ValueError, match="take the file of a published vision model"):
        read_preparation(tmp_path)


def test_an_old_files_numbers_are_the_shorter_side_and_the_crop(
    folders: dict[str, Path], tmp_path: Path, photos: list[np.ndarray]
) -> None:
    old = {"size": 32, "crop_size": 32}
    source = change(folders["clip"], tmp_path / "old", "preprocessor_config.json", **old)
    HFVisual.obtain(source, "pretrained", tmp_path / "a")
    HFVisual.obtain(str(folders["clip"]), "pretrained", tmp_path / "b")
    a, b = (HFVisual.of(tmp_path / name, FLOAT32).preparation for name in "ab")
    assert a == b
