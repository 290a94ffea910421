"""What a sentence-transformers folder adds to a network: pooling, normalisation, longest text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torch.nn.functional import normalize

from pipeline.inputs.json_files import read_json

MODULES = "modules.json"
POOLINGS = ("mean", "cls", "max")
_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
}


@dataclass(frozen=True)
class Pooling:
    """One vector of a text from those of its tokens, special ones included.

    `longest` counts tokens; `prompt` stands before every text; `lower` makes it lower case.
    """

    mode: str
    normalised: bool
    longest: int | None = None
    prompt: str = ""
    lower: bool = False

    def __call__(
        self, states: Float[Tensor, "rows length dim"], mask: Int[Tensor, "rows length"]
    ) -> Float[Tensor, "rows dim"]:
        """Pool each row over the tokens that its mask marks with 1."""
        states, real = states.float(), mask.unsqueeze(2)
        if self.mode == "cls":
            pooled = states[:, 0]
        elif self.mode == "max":
            pooled = states.masked_fill(real == 0, -1e9).amax(1)
        else:
            pooled = (states * real).sum(1) / real.sum(1)
        return normalize(pooled) if self.normalised else pooled


class _Module(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str
    path: str


class _Transformer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    max_seq_length: int | None = None
    do_lower_case: bool = False


class _Prompts(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prompts: dict[str, str] = {}
    default_prompt_name: str | None = None


def read_pooling(folder: Path) -> Pooling | None:
    """Read modules.json and what it names; None for a folder without one.

    Raises ValueError naming a module or a pooling other than mean, cls and max.
    """
    path = folder / MODULES
    if not path.is_file():
        return None
    modules = read_json(path, list[_Module])
    kinds = [module.type.rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ValueError(
            f"{path}: modules {str(kinds)[:200]} are not supported, only Transformer, Pooling and "
            "perhaps Normalize; take another model"
        )
    if modules[0].path:
        raise ValueError(
            f"{path}: the network is in {modules[0].path[:60]!r}, as older versions wrote it; save "
            "the model again with sentence-transformers 2 or later"
        )
    own = _read(folder / "sentence_bert_config.json", _Transformer)
    texts = _read(folder / "config_sentence_transformers.json", _Prompts)
    prompt = texts.prompts.get(texts.default_prompt_name or "", "")
    mode = _mode(folder, modules[1].path)
    return Pooling(mode, "Normalize" in kinds, own.max_seq_length, prompt, own.do_lower_case)


def _read(path: Path, schema: Any) -> Any:
    return read_json(path, schema) if path.is_file() else schema()


def _mode(folder: Path, name: str) -> str:
    if Path(name).name != name or not (folder / name / "config.json").is_file():
        raise ValueError(f"{folder / MODULES}: no {name[:60]!r}/config.json of the pooling")
    path = folder / name / "config.json"
    values = read_json(path, dict[str, Any])
    chosen = [key for key, on in values.items() if key.startswith("pooling_mode_") and on is True]
    modes = [_FLAGS.get(key, key) for key in chosen] or [str(values.get("pooling_mode"))]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ValueError(
            f"{path}: pooling {str(modes)[:200]} is not supported; supported is one of "
            f"{', '.join(POOLINGS)}"
        )
    return modes[0]
