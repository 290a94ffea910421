from __future__ import annotations

import pickle

import pytest

from pipeline.ground.failures import MEDIA_KINDS
from pipeline.media.errors import MediaError


def test_kind_and_message_survive_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(MediaError("truncated", "a.jpg: ends early")))
    assert (error.kind, str(error)) == ("truncated", "a.jpg: ends early")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="missing_file"):
        MediaError("misspelt", "")
    assert all(MediaError(kind, "").kind == kind for kind in MEDIA_KINDS)
