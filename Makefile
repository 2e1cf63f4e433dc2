# make demo: set up in .venv and run the main job on bundled real data.   make test: the fast suite.
PYTHON ?= python3
PY := .venv/bin/python
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test slow browser lint gallery docs bench clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/ready
	.venv/bin/gnomon study gnomon/data/bundled/esol.csv --target "measured log solubility in mols per litre" --out demo.study --budget 100s

test: .venv/ready
	$(PY) -m ruff check gnomon tests benchmarks gallery
	$(PY) -m pytest -q -n 2 --dist loadfile

slow: .venv/ready
	$(PY) -m pytest -q -m slow

browser: .venv/ready
	$(PY) -m pytest -q -m browser --override-ini addopts="--strict-markers" tests/browser

gallery: .venv/ready
	for page in gallery/[0-9]*.py; do $(PY) $$page || exit 1; done

lint: .venv/ready
	$(PY) -m ruff check gnomon tests benchmarks gallery
	$(PY) -m pyright gnomon

clean:
	rm -rf .venv demo.study build *.egg-info
