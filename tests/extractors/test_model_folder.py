"""What `hf:` and `timm:` may name: a folder, or a repository that is pinned."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.extractors.encoder import folder_digest
from pipeline.extractors.hf_folder import copy_folder
from pipeline.extractors.weights import PINS, ModelFolder, model_folder
from pipeline.extractors.weights_report import weights_report
from pipeline.params import load_params

ROOT = Path(__file__).resolve().parents[2]
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one pinned repository, whose only file is in HGFN_WEIGHTS."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HGFN_WEIGHTS", str(tmp_path / "given"))
    (tmp_path / "given" / "net").mkdir(parents=True)
    (tmp_path / "given" / "net" / "config.json").write_bytes(b"{}")
    files = {"config.json": {"sha256": hashlib.sha256(b"{}").hexdigest(), "size": 2}}
    pin = {"repository": "owner/net", "revision": REVISION, "licence": "mit", "files": files}
    PINS.parent.mkdir()
    PINS.write_text(json.dumps({"hf:owner/net": pin}))
    return tmp_path


def test_a_pinned_repository_has_licence_and_revision(project: Path) -> None:
    expected = ModelFolder(project / "given/net", "mit", f"owner/net at revision {REVISION}")
    assert model_folder("hf:owner/net") == expected


def test_a_folder_of_that_name_comes_first(project: Path) -> None:
    Path("owner/net").mkdir(parents=True)
    assert model_folder("hf:owner/net") == ModelFolder(Path("owner/net"))


@pytest.mark.parametrize("encoder", ["hf:owner/other", "timm:owner/net", "hf:/no/such/folder"])
def test_what_is_neither_is_refused_with_the_cure(encoder: str) -> None:
    with pytest.raises(ValueError, match=f"run `hgfn weights --pin {encoder}`"):
        model_folder(encoder)


def test_a_folder_and_the_pinned_repository_are_one_encoder(tmp_path: Path) -> None:
    """A folder may have more files than a pin names; features depend on none of them."""
    pinned, own = tmp_path / "pinned", tmp_path / "own"
    for folder in (pinned, own):
        folder.mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (folder / name).write_bytes(name.encode())
    for name in ("vocab.txt", "merges.txt", "README.md"):
        (own / name).write_bytes(b"slow tokenizers alone read it")
    digests = set()
    for folder in (pinned, own):
        copied = tmp_path / f"{folder.name} copied"
        copied.mkdir()
        copy_folder(folder, copied)
        digests.add(folder_digest(copied))
    assert len(digests) == 1


def test_the_report_lists_pinned_repositories_with_licence_and_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("HGFN_WEIGHTS")
    lines = list(weights_report(load_params().features))
    at = lines.index("  hf:sentence-transformers/all-MiniLM-L6-v2: not needed; apache-2.0")
    assert lines[at + 2].startswith("      9 files, 91.3 MB, ")
