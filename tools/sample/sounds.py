"""The sounds of the clips: each audio cue has its own pitch, timbre and rhythm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

RATE = 22_050
BACKGROUND = 0.004
LOUDNESS = 0.13  # root mean square of one cue
SIREN = 1.8  # times as loud as the other cues
Sound = Callable[[Float[ndarray, " n"], np.random.Generator], Float[ndarray, " n"]]


def _tone(frequency: ndarray) -> ndarray:
    """Sine of a frequency (Hz) that varies along the samples."""
    return np.sin(2 * np.pi * np.cumsum(frequency) / RATE)


def _band(n: int, low: float, high: float, rng: np.random.Generator) -> ndarray:
    """White noise between two frequencies (Hz)."""
    spectrum = np.fft.rfft(rng.normal(size=n))
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    spectrum[(frequency < low) | (frequency > high)] = 0
    return np.fft.irfft(spectrum, n)


def siren(t: Float[ndarray, " n"], rng: np.random.Generator) -> Float[ndarray, " n"]:
    """A tone that wails up and down, with its third harmonic."""
    rate, middle = rng.uniform(0.5, 0.9), rng.uniform(900, 1000)
    wail = middle * (1 + 0.35 * np.sin(2 * np.pi * (rate * t + rng.random())))
    return _tone(wail) + 0.4 * _tone(3 * wail)


def chant(t: Float[ndarray, " n"], rng: np.random.Generator) -> Float[ndarray, " n"]:
    """Many voices in one rhythm: low noise in bursts, two per second."""
    beat = np.clip(np.sin(2 * np.pi * (rng.uniform(1.8, 2.2) * t + rng.random())), 0, None)
    return _band(len(t), 150.0, 500.0, rng) * beat


def speech(t: Float[ndarray, " n"], rng: np.random.Generator) -> Float[ndarray, " n"]:
    """One voice: harmonics of a gliding pitch under two formants, four syllables per second."""
    pitch = rng.uniform(110, 180) * (1 + 0.1 * np.sin(2 * np.pi * (0.6 * t + rng.random())))
    voice = np.zeros_like(t)
    for harmonic in range(1, 20):
        frequency = harmonic * float(pitch.mean())
        formants = np.exp(-(((frequency - 550) / 150) ** 2)) + np.exp(
            -(((frequency - 1700) / 250) ** 2)
        )
        voice += (0.05 + formants) * _tone(harmonic * pitch)
    return voice * np.clip(np.sin(2 * np.pi * (4 * t + rng.random())) + 0.3, 0, None)


def weeping(t: Float[ndarray, " n"], rng: np.random.Generator) -> Float[ndarray, " n"]:
    """A high voice that falls in sobs."""
    sob = (rng.uniform(1.1, 1.4) * t + rng.random()) % 1
    vibrato = 1 + 0.03 * np.sin(2 * np.pi * 7 * t)
    return _tone((2900 - 900 * sob) * vibrato) * (1 - sob) * (sob < 0.75)


def rain(t: Float[ndarray, " n"], rng: np.random.Generator) -> Float[ndarray, " n"]:
    """Steady noise of high frequencies."""
    return _band(len(t), 4500.0, 9500.0, rng)


SOUNDS: dict[str, Sound] = {
    "siren": siren,
    "chant": chant,
    "speech": speech,
    "weeping": weeping,
    "rain": rain,
}


def make_sound(
    cues: Sequence[str], seconds: float, rng: np.random.Generator
) -> Float[ndarray, " n"]:
    """Mix the cues, equally loud except the siren, with faint noise; mono float32 in [-1, 1]."""
    t = np.arange(round(seconds * RATE)) / RATE
    mix = rng.normal(0, BACKGROUND, len(t))
    for cue in cues:
        layer = SOUNDS[cue](t, rng)
        loudness = LOUDNESS * (SIREN if cue == "siren" else 1)
        mix += loudness * layer / max(float(np.sqrt(np.mean(layer**2))), 1e-9)
    return np.clip(mix, -1, 1).astype(np.float32)
