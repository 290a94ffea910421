from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.ground.failures import Failure, read_failures, write_failures
from stages.index import index

ROOT = Path(__file__).resolve().parents[2]


def test_a_clip_that_could_not_be_fetched_has_the_sites_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "data" / "youtube" / "raw"
    (raw / "clips").mkdir(parents=True)
    rows = [f"{n},clips/{n}.mp4,,,message {n} of its own,{n % 2}" for n in range(8)]
    for n in range(2, 8):
        (raw / "clips" / f"{n}.mp4").write_bytes(bytes([n]))
    (raw / "manifest.csv").write_text("\n".join(["id,source,start,end,description,flood", *rows]))
    reason = Failure("0", "clip", "private", "https://film.test/0: Private video")
    write_failures(raw / "failures.csv", [reason])
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    index("youtube")
    failures = read_failures(tmp_path / "data" / "youtube" / "failures" / "index.csv")
    assert [(f.id, f.modality, f.kind, f.message) for f in failures] == [
        ("0", "audio", "private", "https://film.test/0: Private video"),
        ("0", "visual", "private", "https://film.test/0: Private video"),
        ("1", "audio", "missing_file", "named by the raw data, but not there"),
        ("1", "visual", "missing_file", "named by the raw data, but not there"),
    ]
