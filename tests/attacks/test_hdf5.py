"""HDF5 files that lead elsewhere or declare more than they hold: ELMo's, and features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.extractors import ELMo
from pipeline.inputs.feature_file import FeatureFile, write_features
from tests.attacks.model_files import refusal, tiny_elmo

pytestmark = pytest.mark.usefixtures("bounded")

AGAIN = "make or fetch the file again"


def secret(path: Path) -> Path:
    """A file beside, which an array must not be read from."""
    other = path.with_name("secret.hdf5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones((261, 16), np.float32)
    return other


def external_link(path: Path, name: str, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink(secret(path).name, "/secret")


def linked_group(path: Path, name: str, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = h5py.SoftLink(f"/{name}")


def external_storage(path: Path, name: str, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        places = [(str(secret(path)), 0, int(np.prod(shape)) * 4)]
        file.create_dataset(name, shape, np.float32, external=places)


def virtual(path: Path, name: str, shape: tuple[int, ...]) -> None:
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[...] = h5py.VirtualSource(secret(path), "secret", shape)
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_virtual_dataset(name, layout)


def unstored(path: Path, name: str, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, (1 << 20, 1 << 20), np.float32, chunks=(64, 64), fillvalue=1)


Change = Callable[[Path, str, tuple[int, ...]], None]
CHANGES: dict[str, tuple[Change, str]] = {
    "an external link": (external_link, "is a link to elsewhere"),
    "a link to itself": (linked_group, "is a link to elsewhere"),
    "external storage": (external_storage, "lies in other files"),
    "a virtual array of another file": (virtual, "lies in other files"),
    "4 TB that are not stored": (unstored, "declares 4,398,046,511,104 bytes and stores 0"),
}
each_change = pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)


@each_change
def test_elmos_file_is_refused(tmp_path: Path, change: Change, message: str) -> None:
    options, path = tiny_elmo(tmp_path)
    change(path, "char_embed", (261, 4))
    expected = f"{path}: char_embed {message}; {AGAIN}"
    assert refusal(lambda: ELMo.from_files(options, path)) == expected


@each_change
def test_a_feature_file_is_refused(tmp_path: Path, change: Change, message: str) -> None:
    path = tmp_path / "text.h5"
    write_features(path, [("a", np.ones((2, 16), np.float32))], 16, {})
    change(path, "values", (261, 16))
    assert refusal(lambda: list(FeatureFile(path).rows())) == f"{path}: values {message}; {AGAIN}"


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("ids", np.array([[b"a"]])),
        ("ids", np.array(b"a")),
        ("offsets", np.array([], int)),
        ("offsets", np.array([[0, 2]])),
        ("present", np.ones((1, 1), bool)),
        ("values", np.ones(2, np.float32)),
    ],
)
def test_a_feature_file_with_an_array_of_another_shape_is_refused(
    tmp_path: Path, name: str, array: np.ndarray
) -> None:
    path = tmp_path / "text.h5"
    write_features(path, [("a", np.ones((2, 16), np.float32))], 16, {})
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = array
    assert refusal(lambda: FeatureFile(path)).startswith(f"{path}: ")


def test_references_instead_of_numbers_are_refused(tmp_path: Path) -> None:
    options, path = tiny_elmo(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["char_embed"]
        file.create_dataset("char_embed", (261, 4), h5py.ref_dtype)[:2] = file.ref
    expected = f"{path}: char_embed holds object, not floating-point numbers; {AGAIN}"
    assert refusal(lambda: ELMo.from_files(options, path)) == expected


def test_the_tiny_elmo_is_read_as_it_is(tmp_path: Path) -> None:
    assert ELMo.from_files(*tiny_elmo(tmp_path)).dim == 4
