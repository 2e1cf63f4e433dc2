"""Three small studies made from real data, once a session."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def studies(shared_data: Path, tmp_path_factory) -> dict[str, Path]:
    """esol.study, fashion.study and concrete.study, small."""
    from _example import concrete, esol, fashion

    base = tmp_path_factory.mktemp("studies")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's own, about models stopped early
        return {
            "esol": esol(base / "esol.study", shared_data, rows=300),
            "fashion": fashion(base / "fashion.study", shared_data, rows=500),
            "concrete": concrete(base / "concrete.study", shared_data),
            "open": concrete(base / "open.study", shared_data, show_rows=True),
        }
