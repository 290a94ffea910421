from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tools.sample.sounds import RATE, SOUNDS, make_sound


def bands(sound: np.ndarray) -> np.ndarray:
    """Log energy in 16 bands of equal width."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    return np.log([part.sum() + 1e-9 for part in np.array_split(power, 16)])


@pytest.mark.parametrize("cue", SOUNDS)
def test_a_sound_is_of_its_length_and_in_range(cue: str) -> None:
    sound = make_sound([cue], 1.5, np.random.default_rng(0))
    assert sound.dtype == np.float32
    assert sound.shape == (round(1.5 * RATE),)
    assert np.abs(sound).max() <= 1


def test_cues_are_equally_loud_but_for_the_siren() -> None:
    loudness = {cue: np.std(make_sound([cue], 4.0, np.random.default_rng(0))) for cue in SOUNDS}
    siren = loudness.pop("siren")
    assert max(loudness.values()) < 1.2 * min(loudness.values())
    assert siren > 1.5 * max(loudness.values())


def test_spectra_tell_the_cues_apart_in_mixtures() -> None:
    rng = np.random.default_rng(0)
    heard = rng.random((60, len(SOUNDS))) < 0.4
    names = np.array(list(SOUNDS))
    spectra = [bands(make_sound(list(names[row]), 3.0, rng)) for row in heard]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    for column, name in enumerate(names):
        score = cross_val_score(model, spectra, heard[:, column], cv=5, scoring="roc_auc").mean()
        assert score > 0.8, name
