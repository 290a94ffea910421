"""Model files made to do harm: each ends in one line, nothing is run, memory and time are small."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import random
import resource
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save

from pipeline.extractors import ELMo, InceptionV3, SoundNet
from pipeline.extractors.pretrained import convert_soundnet
from pipeline.extractors.soundnet_files import read_soundnet
from pipeline.features.store import FeatureFile, write_features

Write = Callable[[Path], None]
attack = pytest.mark.attack

RUN = "holds more than tensors or is damaged; nothing in it was run"
NO_ARRAYS = "not a table of arrays, nothing in it was run"
AGAIN = "make or fetch the file again"


@pytest.fixture(autouse=True)
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing was run (it would have left a file), and little time and memory were taken."""
    monkeypatch.chdir(tmp_path)
    before, started = peak(), time.monotonic()
    yield
    assert not (tmp_path / "harm").exists()
    assert time.monotonic() - started < 20
    assert peak() - before < 400 << 10


def peak() -> int:
    """The most memory that this process had so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Harm:
    """Pickles as a command that leaves a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harm",)


def npy(program: bytes) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + program


def of_objects(path: Path) -> None:
    array = np.empty((), object)
    array[()] = {"conv1": {"weights": np.array([Harm()], object)}}
    np.save(path, array, allow_pickle=True)


def npy_of(value: object) -> Write:
    return lambda path: path.write_bytes(npy(pickle.dumps(value, 2))) and None


def raw(content: bytes) -> Write:
    return lambda path: path.write_bytes(content) and None


def array_of(shape: bytes, numbers: bytes) -> bytes:
    """A pickled float32 array that declares `shape`, a pickled tuple, over `numbers`."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(numbers)]) + numbers + b"tb."
    )


def nested_tuples() -> bytes:
    """A key of tuples of tuples, 60 deep, each twice the one before: for ever to hash."""
    return b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"K\x01s."


def type_of(code: bytes) -> bytes:
    """A pickled type of numbers whose code is what `code` leaves on the stack."""
    return b"\x80\x02cnumpy\ndtype\n" + code + b"\x85R."


SHARED = b")" + b"q\x00h\x00\x86" * 40  # tuples of tuples, each twice the one before


def npy_header(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def tar_of_pickle(path: Path) -> None:
    torch.save({"conv1.weight": Harm()}, path)


def compressed_pth(path: Path) -> None:
    """A .pth whose tensor is stored compressed, a thousand times larger than the file."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(1 << 24)}, buffer)
    with (
        zipfile.ZipFile(buffer) as plain,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
    ):
        for info in plain.infolist():
            packed.writestr(info.filename, plain.read(info))


def repeated_tensor(path: Path) -> None:
    """A tensor of 2**50 numbers over the storage of one."""
    state = collections.OrderedDict({"conv1.weight": torch.zeros(1).expand(1 << 25, 1 << 25)})
    torch.save(state, path)


SOUNDNET = [
    (
        "a pickle that runs a command, as .pth",
        "soundnet.pth",
        tar_of_pickle,
        f"{{file}}: {RUN}",
    ),
    (
        "a pickle that runs a command, as .pth of torch's older format",
        "old.pth",
        raw(pickle.dumps(Harm(), 2)),
        f"{{file}}: {RUN}",
    ),
    (
        "a .pth that unpacks to a thousand times its size",
        "bomb.pth",
        compressed_pth,
        "{file}: {size} bytes that declare {declared}",
    ),
    (
        "a .pth with a tensor of 2**50 numbers over one",
        "large.pth",
        repeated_tensor,
        "{file}: tensor conv1.weight is 33554432x33554432, expected 16x1x64; not the weights of "
        "SoundNet-8",
    ),
    (
        "a pickle that runs a command, as sound8.npy",
        "sound8.npy",
        npy_of(Harm()),
        f"{{file}}: asks for posix.system; {NO_ARRAYS}",
    ),
    (
        "an .npy of objects, with a command inside",
        "objects.npy",
        of_objects,
        f"{{file}}: asks for posix.system; {NO_ARRAYS}",
    ),
    (
        "an .npy that calls by a name of two parts",
        "stacked.npy",
        raw(npy(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01x\x85R.")),
        f"{{file}}: asks for builtins.eval; {NO_ARRAYS}",
    ),
    (
        "an .npy that declares more numbers than it holds",
        "empty.npy",
        raw(npy(array_of(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"1234"))),
        f"{{file}}: an array of shape (2147483647, 2147483647) in 4 bytes; {NO_ARRAYS}",
    ),
    (
        "an .npy with a key that takes for ever to hash",
        "keys.npy",
        raw(npy(nested_tuples())),
        f"{{file}}: a key that is a tuple, not text; {NO_ARRAYS}",
    ),
    (
        "an .npy whose type is tuples that take for ever to write",
        "type.npy",
        raw(npy(type_of(SHARED))),
        f"{{file}}: asks for a type by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy whose type is 3,000 tuples deep",
        "deep.npy",
        raw(npy(type_of(b")" + b"\x85" * 3000))),
        f"{{file}}: asks for a type by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy whose byte order is tuples that take for ever to write",
        "order.npy",
        raw(npy(b"\x80\x02cnumpy\ndtype\nU\x02f4\x85R(N" + SHARED + b"tb.")),
        f"{{file}}: asks for a byte order by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy whose encoding is tuples that take for ever to write",
        "encoding.npy",
        raw(npy(b"\x80\x02c_codecs\nencode\nU\x01a" + SHARED + b"\x86R.")),
        f"{{file}}: asks for an encoding by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy with a header of 9,000 minus signs",
        "minus.npy",
        raw(npy_header(b"-" * 9000)),
        f"{{file}}: a header of 9,000 bytes; {NO_ARRAYS}",
    ),
    (
        "an .npy with a header of 4 GB",
        "header.npy",
        raw(b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1)),
        f"{{file}}: a header of 4,294,967,295 bytes; {NO_ARRAYS}",
    ),
    (
        "an .npy with a header of 500 minus signs",
        "signs.npy",
        raw(npy_header(b"-" * 500 + b"1")),
        f"{{file}}: a header that names no type; {NO_ARRAYS}",
    ),
    (
        "an .npy of numbers in place of layers",
        "numbers.npy",
        lambda path: np.save(path, np.ones(4, np.float32)),
        f"{{file}}: an array of <f4; {NO_ARRAYS}",
    ),
    (
        "an .npy that remembers under the number 2**32 - 1",
        "memo.npy",
        raw(npy(b"\x80\x02}r\xff\xff\xff\xff.")),
        f"{{file}}: not one object; {NO_ARRAYS}",
    ),
    (
        "an .npy of 200,000 steps",
        "steps.npy",
        raw(npy(b"\x80\x02" + b"N" * 200_000 + b".")),
        f"{{file}}: more than 100,000 steps; {NO_ARRAYS}",
    ),
]


def told(load: Callable[[], object]) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    return message


def cases(group: list[tuple[str, str, Write, str]]) -> list[object]:
    return [
        pytest.param(name, write, id=tried, marks=attack("Model files", tried, ends))
        for tried, name, write, ends in group
    ]


@pytest.mark.parametrize(("name", "write"), cases(SOUNDNET))
def test_soundnets_file_is_refused(tmp_path: Path, name: str, write: Write, ends: str) -> None:
    path = tmp_path / name
    write(path)
    size = path.stat().st_size
    found = told(lambda: SoundNet.from_file(path))
    declared = found.rpartition(" ")[2]
    assert found == ends.format(file=path, size=f"{size:,}", declared=declared)


def test_inceptions_pickle_is_refused(tmp_path: Path) -> None:
    tar_of_pickle(tmp_path / "inception.pth")
    found = told(lambda: InceptionV3.from_file(tmp_path / "inception.pth"))
    assert found == f"{tmp_path}/inception.pth: {RUN}"


def safetensors(header: dict[str, object] | bytes, data: bytes, size: int | None = None) -> Write:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return raw(struct.pack("<Q", len(text) if size is None else size) + text + data)


def floats(start: int, end: int, *shape: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


HEADER = "{file}: not a readable weights file (Error while deserializing header: "
SAFETENSORS = [
    (
        "safetensors whose tensors overlap",
        "overlap.safetensors",
        safetensors({"a": floats(0, 8, 2), "b": floats(4, 12, 2)}, bytes(12)),
        f"{HEADER}invalid offset for tensor `b`)",
    ),
    (
        "safetensors with a header of a terabyte",
        "header.safetensors",
        safetensors({"a": floats(0, 8, 2)}, bytes(8), size=1 << 40),
        f"{HEADER}header too large)",
    ),
    (
        "safetensors that declare a terabyte of numbers",
        "large.safetensors",
        safetensors({"a": floats(0, 1 << 40, 1 << 38)}, bytes(8)),
        f"{HEADER}incomplete metadata, file not fully covered)",
    ),
    (
        "safetensors of 2**124 numbers",
        "overflow.safetensors",
        safetensors({"a": floats(0, 8, 1 << 62, 1 << 62)}, bytes(8)),
        f"{HEADER}overflow computing buffer size from shape and/or element type)",
    ),
    (
        "safetensors with bytes behind the last tensor",
        "behind.safetensors",
        safetensors({"a": floats(0, 8, 2)}, bytes(80)),
        f"{HEADER}incomplete metadata, file not fully covered)",
    ),
    (
        "safetensors with a header nested without end",
        "nested.safetensors",
        safetensors(b'{"a":' * 100_000, b""),
        f"{HEADER}invalid JSON in header: recursion limit exceeded at line 1 column 636)",
    ),
]


@pytest.mark.parametrize(("name", "write"), cases(SAFETENSORS))
def test_safetensors_are_refused(tmp_path: Path, name: str, write: Write, ends: str) -> None:
    write(tmp_path / name)
    for load in (SoundNet.from_file, InceptionV3.from_file):
        assert told(lambda load=load: load(tmp_path / name)) == ends.format(file=tmp_path / name)


def small_state() -> dict[str, torch.Tensor]:
    return {"conv1.weight": torch.ones(4, 1, 3), "conv1.bias": torch.ones(4)}


def small_port() -> bytes:
    layers = {"conv1": {"weights": np.ones((3, 1, 1, 4), np.float32), "biases": np.ones(4)}}
    whole = np.empty((), object)
    whole[()] = layers
    return npy(pickle.dumps(whole, 2))


def small_pth(**options: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(small_state(), buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".t7", lambda: convolution(tensor(3, 4, 1, 1, over=storage(4, 4, bytes(16))))),
        (".npy", small_port),
        (".pth", small_pth),
        (".pt", lambda: small_pth(_use_new_zipfile_serialization=False)),
        (".safetensors", lambda: save(small_state())),
        (".hdf5", None),
    ],
)
def test_any_damage_ends_in_one_line(
    tmp_path: Path, suffix: str, content: Callable[[], bytes] | None
) -> None:
    options, path = tiny_elmo(tmp_path)
    load: Callable[[], object] = lambda: ELMo.from_files(options, path)  # noqa: E731
    if content is not None:
        path = tmp_path / f"small{suffix}"
        path.write_bytes(content())
        load = lambda: read_soundnet(path)  # noqa: E731
    load()
    whole, chance = path.read_bytes(), random.Random(0)
    said: list[str] = []
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 3))):
            damaged[chance.randrange(len(whole))] = chance.choice((0, 255, chance.randrange(256)))
        path.write_bytes(damaged[: chance.choice((len(whole), chance.randrange(len(whole))))])
        try:
            load()
        except ValueError as error:
            said.append(str(error))
    assert len(said) > 50
    assert not [line for line in said if "\n" in line or not line.startswith(str(path))]


def integer(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def long(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def storage(index: int, size: int, numbers: bytes) -> bytes:
    return integer(4, index) + text("V 1") + text("torch.FloatStorage") + long(size) + numbers


def tensor(index: int, *longs: int, over: bytes) -> bytes:
    """A tensor of half as many dimensions as `longs`: sizes, strides and the first number."""
    head = integer(4, index) + text("V 1") + text("torch.FloatTensor")
    return head + integer(len(longs) // 2) + long(*longs) + over


def convolution(weight: bytes) -> bytes:
    """A network of one convolution."""
    fields = integer(3, 2, 1) + integer(2) + text("weight") + weight
    return integer(4, 1) + text("V 1") + text("nn.SpatialConvolution") + fields


def holds_itself() -> bytes:
    """A network whose only part is the network."""
    parts = integer(3, 3, 1) + integer(1) + struct.pack("<d", 1.0) + integer(4, 1)
    fields = integer(3, 2, 1) + integer(2) + text("modules") + parts
    return integer(4, 1) + text("V 1") + text("nn.Sequential") + fields


NO_T7 = "not a network's .t7"
TORCH7 = [
    (
        "a .t7 with a Lua function",
        raw(integer(6, 1) + text("\x1bLua") + integer(0)),
        f"{{file}}: byte 4: a function, which is not run; {NO_T7}",
    ),
    (
        "a .t7 with a storage of 2**60 numbers",
        raw(convolution(tensor(3, 4, 1, 1, over=storage(4, 1 << 60, bytes(16))))),
        f"{{file}}: byte 175: 1,152,921,504,606,846,976 numbers in 16 bytes; {NO_T7}",
    ),
    (
        "a .t7 with a storage of fewer than no numbers",
        raw(storage(1, -1, bytes(16))),
        f"{{file}}: byte 45: -1 numbers in 16 bytes; {NO_T7}",
    ),
    (
        "a .t7 with a tensor beyond its storage",
        raw(convolution(tensor(3, 5, 1, 1, over=storage(4, 4, bytes(16))))),
        f"{{file}}: byte 191: a tensor that reaches to 5 of 4 numbers; {NO_T7}",
    ),
    (
        "a .t7 with a tensor before its storage",
        raw(convolution(tensor(3, 2, -1, 1, over=storage(4, 4, bytes(16))))),
        f"{{file}}: byte 191: a tensor of sizes [2] and strides [-1] from 1; {NO_T7}",
    ),
    (
        "a .t7 with a tensor of 2**60 numbers over one",
        raw(convolution(tensor(3, 1 << 30, 1 << 30, 0, 0, 1, over=storage(4, 1, bytes(4))))),
        "{file}: tensor conv1.weight is 1073741824x1073741824, expected 16x1x64; not the weights "
        "of SoundNet-8",
    ),
    (
        "a .t7 with a tensor whose stride is 2**62",
        raw(convolution(tensor(3, 1, 1 << 62, 1, over=storage(4, 1, bytes(4))))),
        f"{{file}}: byte 179: Python int too large to convert to C long; {NO_T7}",
    ),
    (
        "a .t7 with a table of 2**31 - 1 entries",
        raw(integer(3, 1, 2**31 - 1)),
        f"{{file}}: byte 12: 2,147,483,647 entries in 0 bytes; {NO_T7}",
    ),
    (
        "a .t7 with tables in tables without end",
        raw(b"".join(integer(3, n, 1) for n in range(1, 100_000))),
        f"{{file}}: byte 780: tables more than 64 deep; {NO_T7}",
    ),
    (
        "a .t7 of 50,000 objects",
        raw(integer(3, 1, 25_000) + (integer(2) + text("k") + integer(0)) * 25_000),
        f"{{file}}: byte 130,008: more than 20,000 objects; {NO_T7}",
    ),
    (
        "a .t7 with a network that is a part of itself",
        raw(holds_itself()),
        "{file}: holds no convolution; expected SoundNet-8 as its authors saved it",
    ),
    (
        "a .t7 with a tensor that is its own storage",
        raw(convolution(tensor(3, 4, 1, 1, over=integer(4, 3)))),
        "{file}: tensor conv1.weight is missing, expected 16x1x64; not the weights of SoundNet-8",
    ),
    (
        "a .t7 with an object of an unknown class",
        raw(integer(4, 1) + text("V 1") + text("os.Process")),
        f"{{file}}: byte 29: an object of class 'os.Process'; {NO_T7}",
    ),
]


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(write, id=tried, marks=attack("Model files", tried, ends))
        for tried, write, ends in TORCH7
    ],
)
def test_a_torch7_file_is_refused(tmp_path: Path, write: Write, ends: str) -> None:
    path = tmp_path / "soundnet8_final.t7"
    write(path)
    assert told(lambda: SoundNet.from_file(path)) == ends.format(file=path)


def archive_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("models/soundnet8_final.t7", bytes(64 << 20))


def lying_archive(path: Path) -> None:
    """An archive whose directory tells a tenth of what its member unpacks to."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("soundnet8_final.t7", bytes(1 << 20))
    content = path.read_bytes().replace(struct.pack("<I", 1 << 20), struct.pack("<I", 1000))
    path.write_bytes(content)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(
            archive_bomb,
            marks=attack(
                "Model files",
                "a zip bomb for SoundNet's archive",
                "{file}: models/soundnet8_final.t7 unpacks to 67,108,864 bytes; fetch it again",
            ),
        ),
        pytest.param(
            lying_archive,
            marks=attack(
                "Model files",
                "an archive that tells less than it unpacks to",
                "{file}: Bad CRC-32 for file 'soundnet8_final.t7'; fetch it again",
            ),
        ),
    ],
)
def test_soundnets_archive_is_refused(tmp_path: Path, write: Write, ends: str) -> None:
    path = tmp_path / "soundnet_models_public.zip"
    write(path)
    found = told(lambda: convert_soundnet(path, tmp_path / "out.safetensors"))
    assert found == ends.format(file=path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


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


def objects(path: Path, name: str, shape: tuple[int, ...]) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, shape, h5py.ref_dtype)[:2] = file.ref


HDF5 = [
    ("an external link", external_link, "is a link to elsewhere"),
    ("a link to itself", linked_group, "is a link to elsewhere"),
    ("external storage", external_storage, "lies in other files"),
    ("a virtual array of another file", virtual, "lies in other files"),
    (
        "an array of 4 TB that is not stored",
        unstored,
        "declares 4,398,046,511,104 bytes and stores 0",
    ),
]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            change,
            id=tried,
            marks=attack(
                "Model files", f"ELMo's HDF5 with {tried}", f"{{file}}: char_embed {what}; {AGAIN}"
            ),
        )
        for tried, change, what in HDF5
    ],
)
def test_elmos_file_is_refused(
    tmp_path: Path, change: Callable[[Path, str, tuple[int, ...]], None], ends: str
) -> None:
    options, path = tiny_elmo(tmp_path)
    change(path, "char_embed", (261, 4))
    assert told(lambda: ELMo.from_files(options, path)) == ends.format(file=path)


@attack(
    "Model files",
    "ELMo's HDF5 with references instead of numbers",
    f"{{file}}: char_embed holds object, no floating-point numbers; {AGAIN}",
)
def test_elmos_references_are_refused(tmp_path: Path, ends: str) -> None:
    options, path = tiny_elmo(tmp_path)
    objects(path, "char_embed", (261, 4))
    assert told(lambda: ELMo.from_files(options, path)) == ends.format(file=path)


@attack(
    "Model files",
    "ELMo's options that describe a network of a terabyte",
    "{file}: lstm.dim is 1099511627776; allowed: a whole number from 1 to 65536",
)
def test_elmos_options_are_bounded(tmp_path: Path, ends: str) -> None:
    options, path = tiny_elmo(tmp_path)
    content = json.loads(options.read_text())
    content["lstm"]["dim"] = 1 << 40
    options.write_text(json.dumps(content))
    assert told(lambda: ELMo.from_files(options, path)) == ends.format(file=options)


def tiny_elmo(folder: Path) -> tuple[Path, Path]:
    """A model of the official format, small enough to be written for each test."""
    lstm = {"use_skip_connections": True, "projection_dim": 2, "dim": 3, "n_layers": 1}
    options = {
        "lstm": lstm | {"cell_clip": 3, "proj_clip": 3},
        "char_cnn": {
            "activation": "relu",
            "filters": [[1, 2]],
            "n_highway": 1,
            "embedding": {"dim": 4},
            "n_characters": 262,
            "max_characters_per_token": 50,
        },
    }
    (folder / "options.json").write_text(json.dumps(options))
    cells = [f"RNN_{d}/RNN/MultiRNNCell/Cell0/LSTMCell" for d in (0, 1)]
    shapes: dict[str, tuple[int, ...]] = {
        "char_embed": (261, 4),
        "CNN/W_cnn_0": (1, 1, 4, 2),
        "CNN/b_cnn_0": (2,),
        "CNN_proj/W_proj": (2, 2),
        "CNN_proj/b_proj": (2,),
        **{f"CNN_high_0/W_{gate}": (2, 2) for gate in ("carry", "transform")},
        **{f"CNN_high_0/b_{gate}": (2,) for gate in ("carry", "transform")},
        **{f"{cell}/W_0": (4, 12) for cell in cells},
        **{f"{cell}/B": (12,) for cell in cells},
        **{f"{cell}/W_P_0": (3, 2) for cell in cells},
    }
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, shape in shapes.items():
            file[name] = np.ones(shape, np.float32)
    return folder / "options.json", folder / "weights.hdf5"


def test_the_tiny_elmo_is_read_as_it_is(tmp_path: Path) -> None:
    assert ELMo.from_files(*tiny_elmo(tmp_path)).dim == 4


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            change,
            id=tried,
            marks=attack(
                "Model files", f"a feature file with {tried}", f"{{file}}: values {what}; {AGAIN}"
            ),
        )
        for tried, change, what in HDF5
    ],
)
def test_a_feature_file_is_refused(
    tmp_path: Path, change: Callable[[Path, str, tuple[int, ...]], None], ends: str
) -> None:
    path = tmp_path / "text.h5"
    write_features(path, {"a": lambda: np.ones((2, 16), np.float32)}, 16, {})
    change(path, "values", (261, 16))
    assert told(lambda: FeatureFile(path).read()) == ends.format(file=path)
