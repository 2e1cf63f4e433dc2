"""Code of a user's own: it runs only where its file was named, and is known by its hash from then on.

A study folder says which file built a model, and never where it is: opening a stranger's folder runs nothing of theirs.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gnomon.errors import InputError

RUN_HERE: dict[tuple[str, str], Callable[..., Any]] = {}  # builders this process may run: (hash of the file, function)
FILES: dict[str, str] = {}  # files named in this process: absolute path -> hash
SCIKIT = "sklearn"


def file_hash(path: Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


def trust(path: str | Path) -> str:
    """Run this Python file and let its functions build models in this process; its hash. Raises E-FILE-ABSENT, E-TRUST."""
    file = Path(path).resolve()
    if not file.is_file():
        raise InputError("E-FILE-ABSENT", f"--trust-code {path}: no such file", do="check the path")
    digest = file_hash(file)
    if FILES.get(str(file)) == digest:
        return digest
    name = f"gnomon_own_{file.stem}_{digest}"  # a module, so that classes written in the file can be saved and found again
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InputError("E-TRUST", f"'{path}' is not a Python file", do="give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises
        del sys.modules[name]
        raise InputError("E-TRUST", f"'{path}' cannot be run: {type(error).__name__}: {error}",
                         do="run it by itself, mend it, type the command again") from None
    FILES[str(file)] = digest
    for key, value in vars(module).items():
        if callable(value) and getattr(value, "__module__", "") == name:
            RUN_HERE[digest, key] = value
    return digest


def builder_of(described: Mapping[str, Any]) -> Callable[..., Any]:
    """The builder {"file", "hash", "function", "options"}, where this process may run it, from the very same file."""
    build = RUN_HERE.get((described["hash"], described["function"]))
    if build is None:
        raise InputError("E-TRUST", f"this model was built by '{described['function']}' in '{described['file']}', "
                         "which was not trusted, or has changed", do="read it; if you trust it: --trust-code FILE")
    return functools.partial(build, **described["options"])


def homes_of(estimator: Any) -> frozenset[str]:
    """The packages whose classes an estimator is made of, scikit-learn's among them."""
    parts = [estimator, *estimator.get_params(deep=True).values()]
    found = {type(p).__module__ for p in parts if hasattr(p, "get_params")}
    return frozenset({SCIKIT, *(name.partition(".")[0] for name in found)})
