# Two commands do everything: `make fit` and `make test`. Each makes .venv if it is not there.

# Without its bytecode every start of Python would cost seconds.
export PYTHONDONTWRITEBYTECODE :=
# The pins hold for build tools as well.
export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

python := .venv/bin/python
install := $(python) -m pip install --quiet --no-compile --editable

.PHONY: fit test smoke lint clean

fit: .venv/.installed
	$(python) scripts/fit.py

test: .venv/.installed-dev
	$(python) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

smoke: .venv/.installed-dev
	sh scripts/smoke.sh $(python)

lint: .venv/.installed-dev
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy
	.venv/bin/lint-imports

clean:
	rm -rf .venv

$(python):
	@found=$$(sh scripts/find_python.sh) && "$$found" -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | $(python)
	@echo "Installing mnbayes into .venv (about half a minute)"
	@$(install) .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing the tools for tests and lint into .venv"
	@$(install) ".[dev]"
	@touch $@
