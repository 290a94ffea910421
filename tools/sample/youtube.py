"""A YouTube-like set of clips, with the manifest that a user would write for their own."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tools.sample import grammar, sounds
from tools.sample.clips import write_clip
from tools.sample.concepts import CONCEPTS, Content, plan_contents
from tools.sample.dirt import EMOJI, mojibake
from tools.sample.scenes import draw_frames
from tools.sample.words import CLIP_CUES

SEED = 20201003
CLIPS = 64
SIZES = ((160, 120), (192, 144), (240, 180), (320, 240), (120, 160))
FRAME_RATES = (10, 12, 15)
SECONDS = (3.0, 8.0)
# Faults of a clip's file; a file that is cut after its index still has some frames.
CLIP_DIRT = ("no_audio", "one_frame", "cut", "cut_after_index")
NAMES = ("inundación en Québec 1.mp4", "our street, day 2.mp4", "洪水.mp4")
WINDOWS = 3  # clips with start and end in the manifest
UNKNOWN = 2  # clips with one unknown concept
COLUMNS = ("id", "source", "start", "end", "description", *CONCEPTS)


@dataclass(frozen=True)
class Clip:
    """One clip: its row in the manifest, its content and format, and the fault of its file."""

    name: str
    source: str
    description: str
    content: Content
    seconds: float
    size: tuple[int, int]
    fps: int
    start: float | None = None
    end: float | None = None
    unknown: frozenset[str] = frozenset()
    dirt: str | None = None


def write_youtube(folder: Path, clips: int = CLIPS) -> None:
    """Write `clips/*.mp4` and `manifest.csv` of `clips` clips into an empty folder.

    The bytes depend on `clips` and the versions of numpy and PyAV alone.
    """
    plan = plan_clips(clips)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(plan):
        _write(folder / clip.source, clip, np.random.default_rng([SEED, number]))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_row(clip) for clip in plan)


def plan_clips(clips: int) -> list[Clip]:
    """Plan `clips` clips; the same list every time."""
    rng = np.random.default_rng(SEED)
    contents = plan_contents(clips, rng)
    return _soil([_plan(i, content, rng) for i, content in enumerate(contents)], rng)


def _plan(number: int, content: Content, rng: np.random.Generator) -> Clip:
    name = f"clip_{number:02d}"
    return Clip(
        name=name,
        source=f"clips/{name}.mp4",
        description=grammar.description([CLIP_CUES[cue] for cue in content.text], rng),
        content=content,
        seconds=round(float(rng.uniform(*SECONDS)), 1),
        size=SIZES[int(rng.integers(len(SIZES)))],
        fps=FRAME_RATES[int(rng.integers(len(FRAME_RATES)))],
    )


def _soil(plan: list[Clip], rng: np.random.Generator) -> list[Clip]:
    """Give a few clips faults as in real data, the worst ones to clips of few concepts."""
    plan = list(plan)
    order = sorted(
        (int(i) for i in rng.permutation(len(plan))), key=lambda i: len(plan[i].content.concepts)
    )
    for i, kind in zip(order, CLIP_DIRT, strict=False):
        plan[i] = replace(plan[i], dirt=kind)
    for i, name in zip(order[len(CLIP_DIRT) :], NAMES, strict=False):
        plan[i] = replace(plan[i], source=f"clips/{name}")
    _cut_out(plan, order[len(CLIP_DIRT) + len(NAMES) :][:WINDOWS])
    _soil_descriptions(plan, [i for i in order if not plan[i].content.text])
    for i in order[-UNKNOWN:]:
        concept = CONCEPTS[int(rng.integers(len(CONCEPTS)))]
        plan[i] = replace(plan[i], unknown=frozenset({concept}))
    return plan


def _cut_out(plan: list[Clip], chosen: list[int]) -> None:
    """Give some clips a start and an end."""
    for i in chosen:
        plan[i] = replace(plan[i], start=0.5, end=round(plan[i].seconds - 0.5, 1))


def _soil_descriptions(plan: list[Clip], silent: list[int]) -> None:
    """Empty one description, garble one, put an emoji into one, of clips without a text cue."""
    changes = (lambda _: "", mojibake, lambda text: f"{text} {EMOJI[0]}")
    for i, change in zip(silent, changes, strict=False):
        plan[i] = replace(plan[i], description=change(plan[i].description))


def _write(path: Path, clip: Clip, rng: np.random.Generator) -> None:
    frames = 1 if clip.dirt == "one_frame" else round(clip.seconds * clip.fps)
    pictures = draw_frames(clip.content.visual, frames, *clip.size, rng)
    sound = None
    if clip.dirt != "no_audio":
        sound = sounds.make_sound(clip.content.audio, clip.seconds, rng)
    index_first = clip.dirt != "cut"
    write_clip(path, pictures, (clip.size, clip.fps), sound, sounds.RATE, index_first)
    if clip.dirt in ("cut", "cut_after_index"):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 3 // 5])


def _row(clip: Clip) -> list[str]:
    times = ["" if time is None else str(time) for time in (clip.start, clip.end)]
    labels = [
        "" if name in clip.unknown else str(int(name in clip.content.concepts)) for name in CONCEPTS
    ]
    return [clip.name, clip.source, *times, clip.description, *labels]
