"""The one door to folders of Hugging Face's transformers: offline, no pickles, no code of theirs.

A folder is what `save_pretrained` writes and what the hub holds: config.json, model.safetensors,
and the files of a tokenizer or preprocessor. None of it is trusted. `hf_tower` loads networks.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

from pipeline.extractors.encoder import Origin
from pipeline.extractors.weights import given, model_folder
from pipeline.inputs.hub_pins import SETTINGS
from pipeline.inputs.json_files import CURE, read_json

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"

MODULES = "[0-9]*_*/config.json"  # of sentence-transformers

# Above any published encoder: whole numbers of config.json, numbers of layers, lengths of lists.
MAX_SIZE, MAX_LAYERS, MAX_LIST = 1 << 20, 256, 1024
_LAYERS = re.compile("layers?$|depths?$|blocks?$")

# Settings that change what the network computes although its tensors stay the same.
_REFUSED = ("quantization_config", "fusion_config", "distributed_config")


def offline() -> None:
    """Keep Hugging Face's libraries from the network in this process; call it before their import.

    `local_files_only` is not enough: some of their functions still ask the hub.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # it warns of threads before every fork
    constants: Any = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_OFFLINE = True  # imported before: it read the variable then


def library() -> ModuleType:
    """Import transformers, offline and quiet; raises ValueError if the extra is missing."""
    offline()
    try:
        import transformers
    except ImportError as error:
        raise ValueError(
            f'an encoder "hf:..." needs transformers ({error}); run `pip install -e ".[encoders]"`'
        ) from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def fill_folder(encoder: str, weights: str, folder: Path) -> Origin:
    """Copy the model of `hf:<folder or hub id>` into an empty folder; return where it comes from.

    `weights` is pretrained, or a .safetensors of the same architecture that replaces its own.
    Raises ValueError for a missing file.
    """
    model = model_folder(encoder)
    if weights != "pretrained":
        file = Path(weights).expanduser()
        copy_folder(model.path, folder, file)
        return given(encoder, file)
    copy_folder(model.path, folder)
    return Origin(encoder, "pretrained", model.licence or licence(model.path), model.note)


def copy_folder(source: Path, folder: Path, weights: Path | None = None) -> None:
    """Copy the files that features depend on to another folder, with other weights if given.

    Raises ValueError if config.json or the safetensors are missing.
    """
    _require(source)
    if weights is not None and not (weights.suffix == ".safetensors" and weights.is_file()):
        raise ValueError(f"{weights}: no .safetensors file; give one of the model in {source}")
    modules = [path.relative_to(source).as_posix() for path in sorted(source.glob(MODULES))]
    settings = [name for name in SETTINGS if (source / name).is_file()]
    names = list(dict.fromkeys(settings + modules))  # both may name the pooling
    if weights is None:
        names += [path.name for path in weight_files(source)]
        names += [INDEX] if (source / INDEX).is_file() and not (source / WEIGHTS).is_file() else []
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, folder / name)
    if weights is not None:
        shutil.copyfile(weights, folder / WEIGHTS)


def weight_files(folder: Path) -> list[Path]:
    """Return the folder's .safetensors: one file, or the parts that its index names.

    Raises ValueError for a folder that has none.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        index = read_json(folder / INDEX, _Index)
        names = sorted(set(index.weight_map.values()))
        for name in names:
            if Path(name).name != name or not name.endswith(".safetensors"):
                raise ValueError(f"{folder / INDEX}: {name!r} is not the name of a .safetensors")
            if not (folder / name).is_file():
                raise ValueError(f"{folder / name}: missing, though {INDEX} names it")
        return [folder / name for name in names]
    pickled = [path.name for path in sorted(folder.glob("*.bin")) if "model" in path.name]
    found = f"only {pickled[0]}, a pickle, which is never read" if pickled else "none"
    raise ValueError(
        f"{folder}: no {WEIGHTS} ({found}); take a revision of the model that has one, or write "
        "it with save_pretrained"
    )


def read_preprocessor(folder: Path, part: str, cure: str = CURE) -> tuple[Path, dict[str, Any]]:
    """Return preprocessor_config.json and its content.

    For models that also read text, transformers 5 writes it as `part` of processor_config.json.
    Raises ValueError for a folder that has neither.
    """
    path = folder / "preprocessor_config.json"
    if path.is_file():
        return path, read_json(path, dict[str, Any], cure)
    path = folder / "processor_config.json"
    values = read_json(path, dict[str, Any], cure).get(part) if path.is_file() else None
    if not isinstance(values, dict):
        raise ValueError(
            f"{folder}: no preprocessor_config.json; take the folder as the hub has it"
        )
    return path, values


def licence(folder: Path) -> str:
    """Return the licence that the model card (README.md) states, or `not stated`."""
    card = folder / "README.md"
    text = card.read_text(errors="replace")[: 1 << 16] if card.is_file() else ""
    header = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    stated = re.search(r"^license: *[\"']?([\w.-]+)", header[1], re.MULTILINE) if header else None
    return stated[1] if stated else "not stated"


def read_config(folder: Path) -> Any:
    """Read config.json as a configuration of transformers, with sizes within bounds.

    Raises ValueError naming the file and the key, also for a model that needs code of its own.
    """
    _require(folder)
    path = folder / CONFIG
    values = read_json(path, dict[str, Any])
    _check_sizes(path, "", values)
    for key in _REFUSED:
        if values.get(key) is not None:
            raise ValueError(f"{path}: {key} is not supported; take the model without it")
    known, kind = library().CONFIG_MAPPING, values.get("model_type")
    if not isinstance(kind, str) or kind not in known:
        version = f"unknown to transformers {library().__version__}"
        cure = "needs code of its own, which is never run" if "auto_map" in values else version
        raise ValueError(f"{path}: model_type {str(kind)[:60]!r} {cure}; take another encoder")
    with one_line(path):
        return known[kind].from_dict({k: v for k, v in values.items() if k != "auto_map"})


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Turn what transformers raises for a wrong file into a ValueError of one line."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise ValueError(f"{path}: {reason}") from None


class _Index(BaseModel):
    model_config = ConfigDict(extra="ignore")

    weight_map: dict[str, str]


def _require(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; expected one with {CONFIG} and {WEIGHTS}")
    if not (folder / CONFIG).is_file():
        raise ValueError(f"{folder}: no {CONFIG}; expected a folder that save_pretrained wrote")
    weight_files(folder)


def _check_sizes(path: Path, key: str, value: object) -> None:
    """Bound every whole number and list: networks are built from them."""
    if isinstance(value, dict):
        for name, part in value.items():
            _check_sizes(path, f"{key}.{name}".lstrip("."), part)
    elif isinstance(value, list):
        if len(value) > MAX_LIST:
            raise ValueError(
                f"{path}: {key[:200]} has {len(value):,} entries, at most {MAX_LIST:,}"
            )
        for part in value:
            _check_sizes(path, key, part)
    elif isinstance(value, int) and not isinstance(value, bool) and not key.endswith("theta"):
        most = MAX_LAYERS if _LAYERS.search(key) else MAX_SIZE
        if abs(value) > most:
            raise ValueError(f"{path}: {key[:200]} is {value}, expected at most {most:,}")
