"""Shared by all tests: where the real data are, one thread, and no module of ours may warn."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest

BUNDLED = Path(__file__).parents[1] / "gnomon" / "data" / "bundled"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets (GNOMON_DATA, or ../shared/data beside the checkout); skips, saying so, without it."""
    path = Path(os.environ.get("GNOMON_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not path.is_dir():
        pytest.skip("real data sets not found: set GNOMON_DATA")
    return path


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory, monkeypatch):
    """The per-user record of test openings goes to a folder of the test's own."""
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny tensors on shared cores: one thread is fastest, and the same everywhere."""
    import torch

    torch.set_num_threads(1)
