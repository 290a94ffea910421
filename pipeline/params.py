"""The typed schema of params.yaml: a wrong key or value ends in one line that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.ground.checked_yaml import CONTRADICTION, Section, did_you_mean, load_checked
from pipeline.ground.data_set import NAMES, PLAIN_NAME

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Exponent = Annotated[float, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
LARGEST = 1 << 16  # of a width or an option: far above what any network here needs
Size = Annotated[int, Field(ge=1, le=LARGEST)]
Members = Annotated[int, Field(ge=1, le=100)]
Source = Annotated[str, Field(min_length=1)]  # a path, or a name
Word = Annotated[str, Field(pattern=r"^[\w.-]{0,60}$")]
Sentence = Annotated[str, Field(min_length=1, max_length=300)]
Modality = Literal["visual", "text", "audio"]


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool) or len(str(value)) > 60:
        raise ValueError("a short text, a number, true or false")
    if isinstance(value, int | float) and abs(value) > LARGEST:
        raise ValueError(f"numbers up to {LARGEST}")
    return value


Option = Annotated[str | int | float | bool, BeforeValidator(_scalar)]


def each_once(values: list[Any]) -> list[Any]:
    """Refuse a list in which a value appears twice."""
    if len(set(values)) < len(values):
        raise ValueError("each value once")
    return values


# Settings that some fusions, methods and encoders lack; params.yaml may not change them there.
DEFAULTS = {"theta": 0.5, "alpha": 1.0, "beta": 2.0}
ENCODER_DEFAULTS: dict[str, dict[str, str | int]] = {
    "visual": {"size": 224},
    "text": {"model": "small", "layer": "average"},
    "audio": {"layer": "conv7"},
}


class CrisisMMDParams(Section):
    """CrisisMMD's source, labels, tasks and split."""

    source: Source
    labels: Literal["agreed", "text", "image"]
    layout: Literal["grouped", "binary"]
    split: Literal[
        "grouped", "event", "official_informative", "official_humanitarian", "official_damage"
    ]
    test_event: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _check_event(self) -> CrisisMMDParams:
        if self.split == "event" and self.test_event is None:
            raise PydanticCustomError(
                CONTRADICTION, "test_event is missing; split: event needs the name of one"
            )
        if self.split != "event" and self.test_event is not None:
            raise PydanticCustomError(
                CONTRADICTION,
                f"test_event is {self.test_event!r}, but split is {self.split}; set it to null, or "
                "split to event",
            )
        return self


class YouTubeParams(Section):
    """The clips' source and split."""

    source: Source
    split: Literal["grouped"]


class PostsParams(Section):
    """The source and split of a user's own posts."""

    source: Source
    split: Literal["grouped"]


class DataParams(Section):
    """The data sets, by name: the built-in ones, which may be absent, and posts under any other."""

    others: ClassVar[type[Section]] = PostsParams
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PostsParams]

    # Not null in the file: pydantic does not check a default.
    crisismmd: CrisisMMDParams = Field(default=None)  # type: ignore[assignment]
    youtube: YouTubeParams = Field(default=None)  # type: ignore[assignment]

    @model_validator(mode="after")
    def _check_names(self) -> DataParams:
        for name in self.__pydantic_extra__:
            if not PLAIN_NAME.fullmatch(name):
                raise PydanticCustomError(
                    CONTRADICTION, f"{name} is not a name for a data set; allowed: {NAMES}"
                )
        if not self.sources:
            raise PydanticCustomError(
                CONTRADICTION, "crisismmd, youtube or another set is missing; add one"
            )
        return self

    @property
    def sources(self) -> dict[str, str]:
        """The path of each data set's source, by the set's name."""
        return {name: section.source for name, section in self if section is not None}

    def of(self, name: str) -> Any:
        """Return a data set's section; raises ValueError that lists the known ones."""
        if name not in self.sources:
            known = ", ".join(self.sources)
            raise ValueError(f"params.yaml has no data.{name}; add it, or take one of {known}")
        return getattr(self, name)


class EncoderParams(Section):
    """A modality's encoder, and the weights that it loads."""

    encoder: Source
    weights: Source


class VisualParams(EncoderParams):
    """Photos and frames through an encoder; `size` is not a setting of every one."""

    frames: Annotated[int, Field(ge=1, le=1000)]
    size: Annotated[int, Field(ge=75, le=1024)]  # 75: the smallest input Inception V3 can pool
    precision: Literal["float32", "bfloat16"]


class TextParams(EncoderParams):
    """Tokens through an encoder; `model` and `layer` are ELMo's."""

    model: Literal["small", "medium", "original", "original_5.5b"]
    layer: Literal["average", "top"]
    precision: Literal["float32", "bfloat16"]


class AudioParams(EncoderParams):
    """Waveforms through an encoder; `layer` is SoundNet's."""

    layer: Literal["conv5", "pool5", "conv6", "conv7"]


class FeatureParams(Section):
    """The encoder of each modality."""

    visual: VisualParams
    text: TextParams
    audio: AudioParams


class FusionParams(Section):
    """How the modalities become one vector."""

    name: Word
    theta: Fraction
    width: Annotated[int, Field(ge=2, le=LARGEST)]
    options: dict[Word, Option] = Field(default_factory=dict)


class MTLParams(Section):
    """How the tasks share one network."""

    name: Word
    alpha: Exponent
    beta: Exponent
    options: dict[Word, Option] = Field(default_factory=dict)


class TrainParams(Section):
    """Optimisation."""

    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Positive
    max_epochs: Positive
    patience: Positive
    dropout: Share
    input_dropout: Share = 0.0
    weight_decay: Annotated[float, Field(ge=0)]
    monitor: Literal["loss", "map", "f1"]
    members: Members = 1
    shots: Positive | None = None
    modalities: Annotated[list[Modality], Field(min_length=1), AfterValidator(each_once)]


class EvaluateParams(Section):
    """How probabilities become decisions, and a sentence by task and class for zero-shot."""

    threshold: Literal["validation", "half"]
    unsure_below: Fraction = 0.6
    zero_shot: dict[Word, dict[Word, Sentence]] = Field(default_factory=dict)


class ReportParams(Section):
    """What the page shows of the test samples; see docs/report.md."""

    thumbnails: bool
    samples: Annotated[int, Field(ge=0, le=100)]


class Params(Section):
    """All of params.yaml."""

    moved: ClassVar[dict[str, str]] = {
        "features.weights": "each modality has its own: features.visual.weights, "
        "features.text.weights and features.audio.weights"
    }

    seed: Seed
    data: DataParams
    features: FeatureParams
    fusion: FusionParams
    mtl: MTLParams
    train: TrainParams
    evaluate: EvaluateParams
    report: ReportParams


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml; see `load_checked`."""
    return load_checked(path, Params)


def check_component(
    section: str, params: FusionParams | MTLParams, names: Iterable[str], load: Callable[[str], Any]
) -> None:
    """Raise ValueError, naming the key, if a setting does not fit the fusion or the method.

    `names` are the known ones. `load` imports the class of a name, and torch with it, so it is
    called only where the answer depends on the class.
    """
    name, names = params.name, list(names)
    if name not in names:
        close = did_you_mean(name, names)
        raise ValueError(f"{section}.name is {name!r}{close}; allowed: {', '.join(names)}")
    for key, default in DEFAULTS.items():
        value = getattr(params, key, default)
        if value != default and key not in load(name).takes:
            raise ValueError(
                f"{section}.{key} is {value}, but {name} has no {key}; set it to {default}"
            )
    if not params.options:
        return
    known = load(name).options
    if unknown := [key for key in params.options if key not in known]:
        close = did_you_mean(unknown[0], known)
        has = f"the options {', '.join(known)}" if known else "no options"
        raise ValueError(f"unknown key {section}.options.{unknown[0]}{close}; {name} has {has}")
    try:
        load(name).check_options(params.options)  # together: some values exclude each other
    except ValueError as error:
        raise ValueError(f"{section}.options.{error}") from None
