"""`hgfn serve` from end to end: a photo and a clip of the sample, and what it leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import IO, Any

import httpx
import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.prediction.predictor import Predictor
from pipeline.serving import command
from pipeline.serving.neighbours import neighbours_of

ROOT = Path(__file__).resolve().parents[2]
CLIP = next(iter(sorted((ROOT / "data/sample/youtube/clips").glob("*.mp4"))))


@dataclass(frozen=True)
class Served:
    """A running `hgfn serve`, and the folder of its temporary files."""

    process: subprocess.Popen[str]
    client: httpx.Client
    temporary: Path

    def post(self, files: list[Path], text: str | None = None, query: str = "") -> Any:
        parts = [("video" if path.suffix == ".mp4" else "image", path.open("rb")) for path in files]
        data = {} if text is None else {"text": text}
        answer = self.client.post(f"/predict{query}", files=parts, data=data)
        for _, file in parts:
            file.close()
        assert answer.status_code == 200, answer.text
        return answer.json()

    def left(self) -> list[str]:
        """What lies below the server's own folder, and beside it."""
        (own,) = self.temporary.iterdir()
        return sorted(path.name for path in own.iterdir())


@pytest.fixture(scope="module")
def served(tiny_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    temporary = tmp_path_factory.mktemp("temporary")
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "HGFN_CACHE": str(tmp_path_factory.mktemp("cache")),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    code = "from pipeline.cli import app; app()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "models/youtube", "--port", "0"],
        cwd=tiny_project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    match = re.match(r"(http://127\.0\.0\.1:\d+)/", lines[1])
    assert match, lines
    with httpx.Client(base_url=match[1], timeout=120) as client:
        yield Served(process, client, temporary)
    process.terminate()
    rest = process.communicate(timeout=60)[0]
    assert rest == ""
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def photo(tiny_project: Path) -> Path:
    return next(iter(sorted((tiny_project / "data/crisismmd/raw").rglob("*.jpg"))))


def test_a_clip_is_answered_as_the_predictor_answers_it(served: Served, inside: Path) -> None:
    answer = served.post([CLIP], "Flood in Houston")
    predictor = Predictor.load("models/youtube")
    row = predictor.predict({"text": "Flood in Houston", "video": str(CLIP)}).iloc[0]
    assert list(answer["tasks"]) == [task.name for task in predictor.tasks]
    for name, task in answer["tasks"].items():
        assert task["decision"] == row[f"{name}.decision"]
        assert task["confidence"] == row[f"{name}.confidence"]
        expected = {label: row[f"{name}.p.{label}"] for label in task["probabilities"]}
        assert task["probabilities"] == expected
    assert all(modality["present"] for modality in answer["modalities"].values())
    assert answer["unsure"] == row["unsure"]
    assert served.left() == ["neighbours.npy"]


def test_the_nearest_training_samples_have_texts_and_labels(served: Served) -> None:
    nearest = served.post([CLIP])["neighbours"]
    assert len(nearest) > 1
    cosines = [sample["cosine"] for sample in nearest]
    assert cosines == sorted(cosines, reverse=True)
    assert all(-1.001 < cosine < 1.001 for cosine in cosines)
    assert set(nearest[0]) == {"id", "text", "labels", "cosine"}
    assert set(nearest[0]["labels"]) == set(served.post([CLIP])["tasks"])


def test_an_explanation_adds_up(served: Served) -> None:
    answer = served.post([CLIP], "Flood in Houston", "?explain=1")
    for name, parts in answer["explanation"].items():
        total = parts["nothing"] + sum(parts["shapley"].values())
        assert total == pytest.approx(parts["probability"], abs=1e-6)
        decided = answer["tasks"][name]
        assert decided["probabilities"][decided["decision"]] == pytest.approx(total, abs=1e-5)
        assert [word for word, _ in parts["words"]] == ["Flood", "in", "Houston"]
    assert served.left() == ["neighbours.npy"]


def test_a_file_that_is_no_photo_is_a_failure_of_its_row(served: Served, tmp_path: Path) -> None:
    for contents in (b"#!/bin/sh\n", b"", b"\xff\xd8\xff\xe0 cut off", b"#EXTM3U\n/etc/passwd\n"):
        (file := tmp_path / "photo.jpg").write_bytes(contents)
        answer = served.post([file])
        visual = answer["modalities"]["visual"]
        assert not visual["present"]
        assert visual["failure"] in ("not_an_image", "truncated")
        assert str(served.temporary) not in str(answer)
        assert answer["unsure"]
        assert answer["neighbours"] == []


def test_a_photo_and_a_text_are_enough(served: Served, photo: Path) -> None:
    answer = served.post([photo], "Flood")
    present = {name: m["present"] for name, m in answer["modalities"].items()}
    assert present == {"audio": False, "text": True, "visual": True}


def test_a_killed_worker_is_replaced_and_nothing_is_left(served: Served, photo: Path) -> None:
    before = served.post([photo])
    (worker,) = _workers(served.process.pid)
    os.kill(worker, signal.SIGKILL)
    while served.client.get("/healthz").json()["worker"] == "ready":
        sleep(0.01)
    assert served.post([photo]) == before
    assert _workers(served.process.pid) != [worker]
    assert served.left() == ["neighbours.npy"]


def _workers(server: int) -> list[int]:
    children = psutil.Process(server).children()
    return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_what_a_killed_server_leaves_is_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, signal; from pipeline.serving.command import scratch_folder\n"
        "with scratch_folder() as folder:\n"
        "    (folder / 'photo.jpg').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert len(list(tmp_path.rglob("photo.jpg"))) == 1
    with command.scratch_folder() as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["serve", *arguments])
    assert result.exit_code == 1
    *_, line = result.output.splitlines()
    return line


def test_a_port_in_use_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("models/none", "--port", str(port))
    assert line.startswith(f"error: 127.0.0.1 port {port}: Address already in use; choose another")


def test_a_missing_model_is_told_in_one_line(tmp_path: Path) -> None:
    line = refused(str(tmp_path / "none"), "--port", "0")
    assert line.startswith(f"error: {tmp_path / 'none'}: no model")


def test_a_missing_extra_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    line = refused("models/none")
    assert line == 'error: fastapi is not installed; pip install -e ".[serve]" brings it'


def test_the_served_model_needs_no_project_around_it(inside: Path, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere" / "models" / "youtube"
    shutil.copytree("models/youtube", alone)
    predictor = Predictor.load(alone, weights=Path("data/weights"))
    neighbours = neighbours_of(predictor, tmp_path / "none")
    assert neighbours.nearest(neighbours.vectors.sum(axis=0)) == []
    assert "data/youtube/index.parquet" in str(neighbours.missing)


def test_a_training_sample_is_its_own_nearest_neighbour(inside: Path, tmp_path: Path) -> None:
    predictor = Predictor.load("models/crisismmd")
    stored = tmp_path / "vectors.npy"
    neighbours = neighbours_of(predictor, stored)
    assert neighbours.missing is None
    assert (neighbours.samples["split"] == "train").all()
    for row in range(3):
        first = neighbours.nearest(neighbours.vectors[row])[0]
        assert first["cosine"] == pytest.approx(1, abs=1e-5)
    again = neighbours_of(predictor, stored)
    assert (again.vectors == neighbours.vectors).all()


def test_vectors_of_a_killed_worker_are_not_half_there(
    inside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(file: IO[bytes], array: np.ndarray) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    predictor = Predictor.load("models/crisismmd")
    monkeypatch.setattr("pipeline.serving.neighbours.np.save", cut_off)
    with pytest.raises(KeyboardInterrupt):
        neighbours_of(predictor, tmp_path / "vectors.npy")
    assert list(tmp_path.iterdir()) == []


def test_features_of_another_extraction_are_not_compared(inside: Path, tmp_path: Path) -> None:
    predictor = Predictor.load("models/crisismmd")
    predictor.model.preprocessor.modalities["text"].made_with["version"] = 0
    missing = neighbours_of(predictor, tmp_path / "none").missing
    assert "not what the model was trained on" in str(missing)
