from __future__ import annotations

import platform
from pathlib import Path

import pytest
import torch

from pipeline.features import processor as module
from pipeline.features.processor import processor

EPYC = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC
flags\t\t: fpu sse4_2 fma avx avx2 avx512f avx512_bf16 erms

processor\t: 1
vendor_id\t: AuthenticAMD
flags\t\t: fpu
"""
GRAVITON = """processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd sve bf16 i8mm crc32
CPU implementer\t: 0x41
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(module, "_CACHES", tmp_path / "cache")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    return tmp_path


def test_what_sums_depend_on_is_named(machine: Path) -> None:
    (machine / "cpuinfo").write_text(EPYC)
    for index, kind, size in ((0, "Data", "32K"), (1, "Instruction", "64K"), (2, "Unified", "1M")):
        folder = machine / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        (folder / "type").write_text(f"{kind}\n")
        (folder / "level").write_text(f"{max(index, 1)}\n")
        (folder / "size").write_text(f"{size}\n")
    assert processor() == {
        **{"machine": platform.machine(), "torch's code": "AVX512", "maker": "AuthenticAMD"},
        **dict.fromkeys(["avx", "avx2", "avx512_bf16", "avx512f", "fma", "sse4_2"], "there"),
        **{"cache 1": "32K", "cache 2": "1M"},
    }


def test_an_arm_processor_is_described_too(machine: Path) -> None:
    (machine / "cpuinfo").write_text(GRAVITON)
    found = processor()
    assert found["maker"] == "0x41"
    assert {name for name, value in found.items() if value == "there"} == {
        *("asimd", "sve"),
        *("bf16", "i8mm"),
    }


def test_a_system_that_tells_nothing_leaves_torchs_own_word(machine: Path) -> None:
    assert processor() == {"machine": platform.machine(), "torch's code": "AVX512", "maker": ""}


def test_a_cache_of_which_the_size_is_not_told_is_there_all_the_same(machine: Path) -> None:
    folder = machine / "cache" / "index0"
    folder.mkdir(parents=True)
    (folder / "type").write_text("Data\n")
    (folder / "level").write_text("1\n")
    assert processor()["cache 1"] == ""


def test_this_machine_is_like_itself() -> None:
    assert processor() == processor()
    assert processor()["torch's code"]
