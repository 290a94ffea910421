"""Where the three networks' weights are published, how large they are, and on which terms."""

from __future__ import annotations

from dataclasses import dataclass

_BUCKET = "https://allennlp.s3.amazonaws.com/models/elmo"


@dataclass(frozen=True)
class PublishedFile:
    """A file under its address; `size` is about, in bytes, and None where nobody states it.

    `prefix` is how its sha256 begins, where its publisher tells; `instead` are other names under
    which a local file of the same network is taken.
    """

    url: str
    size: int | None
    licence: str
    prefix: str = ""
    instead: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's own name, the address's last part."""
        return self.url.rpartition("/")[2]


INCEPTION = PublishedFile(
    "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
    size=108_949_747,
    licence="BSD-3-Clause (torchvision); trained on ImageNet, whose terms are for research",
    prefix="0cc3c7bd",
)

SOUNDNET_MEMBER = "soundnet8_final.t7"
SOUNDNET = PublishedFile(
    # Its authors offer no https: what arrives is pinned, and read without running anything.
    "http://data.csail.mit.edu/soundnet/soundnet_models_public.zip",
    size=None,
    licence="MIT (Aytar, Vondrick, Torralba 2016)",
    instead=(SOUNDNET_MEMBER, "sound8.npy", *(f"soundnet8{s}" for s in (".safetensors", ".pth"))),
)

# Folder of the bucket, and bytes of the weights.
_ELMO = {
    "small": ("2x1024_128_2048cnn_1xhighway", 54_400_000),
    "medium": ("2x2048_256_2048cnn_1xhighway", 112_000_000),
    "original": ("2x4096_512_2048cnn_2xhighway", 374_400_000),
    "original_5.5b": ("2x4096_512_2048cnn_2xhighway_5.5B", 374_400_000),
}
_ELMO_LICENCE = "Apache-2.0 (AllenNLP)"
ELMO = {
    model: (
        PublishedFile(f"{_BUCKET}/{name}/elmo_{name}_options.json", 336, _ELMO_LICENCE),
        PublishedFile(f"{_BUCKET}/{name}/elmo_{name}_weights.hdf5", size, _ELMO_LICENCE),
    )
    for model, (name, size) in _ELMO.items()
}


def needed(model: str) -> dict[str, PublishedFile]:
    """Name the files of Inception V3, ELMo (`model` of params.yaml) and SoundNet."""
    options, weights = ELMO[model]
    return {"inception": INCEPTION, "options": options, "weights": weights, "soundnet": SOUNDNET}
