from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one good file in DVC's cache."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    digest = hashlib.md5(b"good").hexdigest()
    cached = tmp_path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"good")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def doctor() -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor"])
    return result.exit_code, result.output


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in ("doctor", "cache", "retry", "weights", "compare", "export", "explain"):
        assert command in result.output


def test_help_keeps_brackets() -> None:
    output = " ".join(CliRunner().invoke(app, ["compare", "--help"]).output.split())
    assert "view_<name> [n, d] and Y [n, labels]" in output
    assert "split [n] of train, val, test" in output


def test_a_sound_project_has_nothing_wrong(project: Path) -> None:
    assert doctor() == (0, "nothing wrong\n")


def test_a_flipped_byte_in_dvcs_cache_is_found(project: Path) -> None:
    (cached,) = (project / ".dvc/cache/files/md5").glob("??/*")
    cached.write_bytes(b"gooe")
    code, output = doctor()
    assert code == 1
    assert f"{cached.relative_to(project)} is damaged: delete it" in output


def test_a_cache_that_dvc_is_told_to_keep_elsewhere_is_looked_at_there(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("shared")
    (project / ".dvc/cache").rename(elsewhere / "cache")
    (project / ".dvc/config").write_text(f"[cache]\n    dir = {elsewhere / 'cache'}\n")
    (cached,) = (elsewhere / "cache/files/md5").glob("??/*")
    assert doctor() == (0, "nothing wrong\n")
    cached.write_bytes(b"gooe")
    code, output = doctor()
    assert code == 1
    assert f"{cached} is damaged" in output


@pytest.mark.parametrize("config", ["[cache\n", "cache = 3\n"])
def test_a_malformed_config_of_dvc_is_a_fault(project: Path, config: str) -> None:
    (project / ".dvc/config").write_text(config)
    code, output = doctor()
    assert code == 1
    assert output.startswith("fault: .dvc: ")
    assert "correct its config files" in output
    assert "1 faults" in output


def test_what_cannot_be_read_in_dvcs_cache_is_a_fault(project: Path) -> None:
    # A folder in a file's place: a file without permissions can still be read by root.
    (project / ".dvc/cache/files/md5/aa/bb").mkdir(parents=True)
    code, output = doctor()
    assert code == 1
    assert ".dvc/cache/files/md5/aa/bb cannot be read: Is a directory" in output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: hgfn", "name: hgnf", "params.yaml: fusion.name is 'hgnf' (did you mean hgfn?)"),
        ("name: dmtl", "name: dtml", "mtl.name is 'dtml'"),
        ("options: {}", "options: {algin: pad}", "unknown key fusion.options.algin"),
        ("theta: 0.5", "theta: 2.0", "fusion.theta is 2.0; allowed: less than 1"),
    ],
)
def test_a_wrong_parameter_is_found(project: Path, old: str, new: str, message: str) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace(old, new, 1))
    code, output = doctor()
    assert code == 1
    assert message in output


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HGFN_WORKERS", "many"),
        ("HGFN_DEVICE", "tpu"),
        ("HGFN_ENGINE", "spark"),
        ("RAY_ADDRESS", "nowhere"),
        ("HGFN_CACHE", "params.yaml"),
        ("HGFN_YTDLP", "none.conf"),
        ("HGFN_PAUSE", "long"),
        ("HGFN_CHECKPOINT", "often"),
        ("HGFN_MEMORY", "much"),
        ("HGFN_MIRROR", "ftp://host"),
        ("HGFN_WEIGHTS", "none"),
    ],
)
def test_a_wrong_environment_variable_is_found(
    project: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, output = doctor()
    assert code == 1
    assert f"fault: {variable} is {value!r}" in output
    assert "1 faults" in output
