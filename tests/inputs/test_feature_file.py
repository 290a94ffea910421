from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.inputs.feature_file import FORMAT, FeatureFile, write_features

Arrays = list[tuple[str, np.ndarray | None]]
ATTRIBUTES = {"modality": "visual", "weights": "00ff", "size": 224, "ratio": 0.5}


def array(name: str, length: int, dim: int = 4) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.standard_normal((length, dim), dtype=np.float32)


def arrays(lengths: dict[str, int | None], dim: int = 4) -> Arrays:
    return [
        (name, None if length is None else array(name, length, dim))
        for name, length in sorted(lengths.items())
    ]


LENGTHS = {"b": 3, "a": 1, "é🌊": 2, "c": None, "B": 40, "z" * 100: 5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "features" / "visual.h5"


def only_file(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


def test_ids_offsets_and_arrays_come_back(path: Path) -> None:
    write_features(path, arrays(LENGTHS), 4, ATTRIBUTES)
    file = FeatureFile(path)
    assert file.ids == sorted(LENGTHS)
    assert file.present.tolist() == [LENGTHS[name] is not None for name in file.ids]
    assert np.diff(file.offsets).tolist() == [LENGTHS[name] or 0 for name in file.ids]
    assert file.offsets[0] == 0
    assert file.dim == 4
    assert file.attributes == {**ATTRIBUTES, "format": FORMAT}
    for name, read in zip(file.ids, file.rows(), strict=True):
        assert read.dtype == np.float32
        assert read.tobytes() == array(name, LENGTHS[name] or 0).tobytes()
        assert read.shape == (LENGTHS[name] or 0, 4)
    assert only_file(path)


def test_the_file_is_what_the_design_promises(path: Path) -> None:
    write_features(path, arrays(LENGTHS), 4, ATTRIBUTES)
    with h5py.File(path) as file:
        assert set(file) == {"ids", "offsets", "values", "present"}
        assert all(file[name].fletcher32 for name in file)
        assert (file["offsets"].dtype, file["present"].dtype) == (np.int64, bool)
        assert file["values"].shape == (51, 4)
        assert file["values"].dtype == np.float32


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
        st.none() | st.integers(1, 5),
        min_size=1,
        max_size=8,
    ),
)
def test_the_same_arrays_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, lengths: dict[str, int | None]
) -> None:
    folder = tmp_path_factory.mktemp("features")
    write_features(folder / "one.h5", arrays(lengths), 4, ATTRIBUTES)
    write_features(folder / "two.h5", iter(arrays(lengths)), 4, ATTRIBUTES)
    assert (folder / "one.h5").read_bytes() == (folder / "two.h5").read_bytes()
    file = FeatureFile(folder / "one.h5")
    assert file.ids == sorted(lengths)
    assert [len(read) for read in file.rows()] == [lengths[name] or 0 for name in file.ids]


def test_the_bytes_do_not_hold_the_time(path: Path) -> None:
    # HDF5 can note when an object was made; two runs would then differ by the clock.
    write_features(path, arrays(LENGTHS), 4, ATTRIBUTES)
    with h5py.File(path) as file:
        for name in file:
            assert h5py.h5g.get_objinfo(file.id, name.encode()).mtime == 0


def test_values_of_many_chunks_come_back(path: Path) -> None:
    lengths: dict[str, int | None] = {f"{k:02}": 1 + k for k in range(40)}
    write_features(path, arrays(lengths, dim=1000), 1000, {})
    with h5py.File(path) as file:
        assert file["values"].chunks[0] < file["values"].shape[0]
    read = FeatureFile(path).rows()
    assert all(np.array_equal(read[k], array(f"{k:02}", 1 + k, 1000)) for k in range(40))


def test_pooled_rows_are_means_over_the_length(path: Path) -> None:
    write_features(path, arrays(LENGTHS), 4, ATTRIBUTES)
    file = FeatureFile(path)
    for whole, mean in zip(file.rows(), file.rows(pooled=True), strict=True):
        assert mean.tolist() == ([whole.mean(axis=0).tolist()] if len(whole) else [])
    assert file.rows().nbytes == sum(array.nbytes for array in file.rows())
    assert file.rows(pooled=True).nbytes == sum(array.nbytes for array in file.rows(pooled=True))


def test_a_copy_for_another_process_reads_the_same(path: Path) -> None:
    write_features(path, arrays(LENGTHS), 4, ATTRIBUTES)
    rows = FeatureFile(path).rows()
    first = rows[1]  # opens the file
    copy = pickle.loads(pickle.dumps(rows))
    np.testing.assert_array_equal(copy[1], first)
    np.testing.assert_array_equal(copy.present, rows.present)


@pytest.mark.parametrize("dataset", ["values", "offsets", "present", "ids"])
def test_a_flipped_bit_is_detected(path: Path, dataset: str) -> None:
    write_features(path, arrays(LENGTHS), 4, ATTRIBUTES)
    with h5py.File(path) as file:
        chunk = file[dataset].id.get_chunk_info(0)
    damaged = bytearray(path.read_bytes())
    damaged[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"(?i)visual\.h5: .*(fletcher32|checksum|filter)"):
        list(FeatureFile(path).rows())


@pytest.mark.parametrize("names", [["a"], ["a", "b", "ü"]])
def test_a_set_without_the_modality_has_a_file_too(path: Path, names: list[str]) -> None:
    write_features(path, [(name, None) for name in names], 4, ATTRIBUTES)
    file = FeatureFile(path)
    assert file.ids == names
    assert not file.present.any()
    assert [read.shape for read in file.rows()] == [(0, 4)] * len(names)
    with h5py.File(path) as raw:
        assert raw["values"].fletcher32


def test_no_sample_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=r"visual.h5: no sample to write"):
        write_features(path, [], 4, {})
    assert not path.exists()


@pytest.mark.parametrize("names", ["ba", "aa"])
def test_ids_out_of_order_are_refused(path: Path, names: str) -> None:
    with pytest.raises(ValueError, match=f"the id {names[1]} comes after {names[0]}; ids must"):
        write_features(path, [(name, array(name, 1)) for name in names], 4, {})


@pytest.mark.parametrize("shape", [(4,), (2, 3), (0, 4), (1, 2, 4), ()])
def test_a_wrong_shape_is_refused_with_its_id(path: Path, shape: tuple[int, ...]) -> None:
    wrong = [("a", array("a", 1)), ("odd", np.zeros(shape, np.float32))]
    with pytest.raises(ValueError, match=r"features of odd have shape .*; expected \[length, 4\]"):
        write_features(path, wrong, 4, {})


def test_a_fault_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    def fail() -> Iterator[tuple[str, np.ndarray]]:
        yield "a", array("a", 1)
        raise ValueError("vanished")

    write_features(path, arrays(LENGTHS), 4, ATTRIBUTES)
    old = path.read_bytes()
    with pytest.raises(ValueError, match="vanished"):
        write_features(path, fail(), 4, ATTRIBUTES)
    assert path.read_bytes() == old
    assert only_file(path)


PACK = """
import sys
from pathlib import Path
import numpy as np
from pipeline.ground.system_errors import explain
from pipeline.inputs.feature_file import write_features

folder = Path(sys.argv[1])
rows = np.ones((65, 1000), np.float32)
try:
    write_features(folder / "a.h5", ((f"{k:03}", rows) for k in range(60)), 1000, {})
except OSError as error:
    print(explain(error))
print([path.name for path in folder.iterdir()])
"""


@pytest.mark.parametrize("megabytes", [1, 5, 12, 17])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    small_disk: Callable[[int, str], Any], tmp_path: Path, megabytes: int
) -> None:
    done = small_disk(megabytes, PACK)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{tmp_path}/disk/a.h5: No space left on device; free some space on its disk and run again",
        "[]",
    ]


@pytest.mark.parametrize("contents", [b"", b"id,values\n"])
def test_what_is_no_feature_file_is_refused(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "visual.h5"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"visual.h5: not a readable HDF5 file"):
        FeatureFile(path)


def test_a_missing_feature_file_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        FeatureFile(tmp_path / "visual.h5")
    assert str(caught.value) == f"[Errno 2] No such file or directory: '{tmp_path}/visual.h5'"


@pytest.mark.parametrize("version", [None, 0, FORMAT + 1])
def test_another_format_is_refused(path: Path, version: int | None) -> None:
    write_features(path, arrays(LENGTHS), 4, {})
    with h5py.File(path, "r+") as file:
        del file.attrs["format"]
        if version is not None:
            file.attrs["format"] = version
    with pytest.raises(ValueError, match=rf"not a feature file of format {FORMAT}; extract again"):
        FeatureFile(path)
