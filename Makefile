# Front door of hopcheck: `make help` lists the targets. Set-up is done by .ci/setup, testing by pytest.

PYTEST := .venv/bin/pytest
IMAGE := .venv/bin/python -m topology.kernels.image

# Compiled modules are kept (a run starts 2 s faster), also where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup overlay test perf soak labs faults fresh nightly mutants bench picture lint doctor clean clean-cache image-export image-import gradescope python

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

overlay: setup ## set up everything, prove the reference lab, write reports/out/report.html
	$(PYTEST) -m overlay --html

setup: ## only set up: .venv, system packages, guest image
	@.ci/setup

python: # only .venv, for what needs no lab
	@.ci/setup python

# What is drawn at random is drawn from the commit, so that a second run of it is the same.
test: export HOPCHECK_SEED ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
test: setup lint ## set up, check the code, run every test; small samples of what nightly repeats
	@.ci/setup tests
	@.ci/setup cluster
	$(PYTEST) tests/self -n 2 --out reports/out/self
	$(PYTEST) --ignore=tests/self -m "not alone" -n 2 --html
	$(PYTEST) tests/lifecycle tests/grading -m alone --out reports/out/alone

perf: setup ## measure throughput and kernel functions, in ratios of one run; reports/out/perf/report.html
	$(PYTEST) -m perf --html --out reports/out/perf

soak: setup ## kill runs at 100 moments, run 10 pairs at once, compare 200 times, judge 300 healthy copies; reports/out/soak/report.html
	HOPCHECK_POINTS=100 HOPCHECK_PAIRS=10 HOPCHECK_AA=200 HOPCHECK_HEALTHY=300 $(PYTEST) -m soak --html --out reports/out/soak

# `make labs CLUSTER=ssh:hosts.txt`: on many machines (docs/cluster.md).
labs: setup ## prove every lab on every kernel and runtime that can carry it, and 200 drawn ones; reports/out/labs/report.html
	HOPCHECK_LABS=all HOPCHECK_DRAWN=200 $(PYTEST) -m labs $(if $(CLUSTER),--cluster $(CLUSTER)) --html --out reports/out/labs

faults: SPREAD := $(if $(CLUSTER),--cluster $(CLUSTER),-n auto)
faults: setup ## every fault at every place of three labs, 200 pairs of faults, the matrix of what is caught; reports/out/faults
	HOPCHECK_FAULT_PAIRS=200 $(PYTEST) tests/faults/test_fault_pairs.py $(SPREAD) --kernel guest --out reports/out/faults/pairs
	HOPCHECK_FAULTS=all $(PYTEST) tests/faults/test_matrix.py $(SPREAD) --kernel guest --lab ece792 --out reports/out/faults/ece792
	HOPCHECK_FAULTS=all $(PYTEST) tests/faults/test_matrix.py $(SPREAD) --kernel guest --lab ecmp --out reports/out/faults/ecmp
	HOPCHECK_FAULTS=all $(PYTEST) tests/faults/test_matrix.py $(SPREAD) --kernel guest --lab two-tenants --out reports/out/faults/two-tenants

fresh: ## run overlay and test in a fresh Debian root, as from a terminal and as under nohup; needs root and mmdebstrap
	.ci/fresh-root

nightly: test ## what runs once a day: test, the same in a fresh Debian root, more samples, labs, faults, submissions, all sizes, and soak
	HOPCHECK_SAMPLES=10 $(PYTEST) tests/self tests/faults -n 2 --out reports/out/samples
	$(MAKE) fresh
	$(MAKE) labs
	$(MAKE) faults
	HOPCHECK_SUBMISSIONS=all $(PYTEST) tests/grading --html --out reports/out/grading
	$(PYTEST) -m perf --sizes all --html --out reports/out/perf
	$(MAKE) soak

mutants: python ## change the code of judges, headers and forwarding one thing at a time: its tests notice nine of ten
	.venv/bin/python -m benchmarks.mutants

picture: setup # README's picture, of a run that fails
	@.ci/setup tests
	-$(PYTEST) -m overlay --break 'lc2: ip route del 20.0.0.0/24' --out reports/out/picture
	.venv/bin/python -m tests.browser.picture reports/out/picture/report.html docs/page.png

lint: python ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .

bench: ## set up, and measure anew what docs/measured.md states
	@.ci/setup bench
	.venv/bin/python -m benchmarks

doctor: python ## which kernels can carry a lab here, and what would fix the others
	$(PYTEST) --doctor

# `make image-export FILE` as well as `make image-export FILE=...`: the second goal is then the file's name.
ifneq (,$(filter image-export image-import,$(firstword $(MAKECMDGOALS))))
ifneq (,$(word 2,$(MAKECMDGOALS)))
FILE := $(word 2,$(MAKECMDGOALS))
.PHONY: $(FILE)
$(FILE): ; @:
endif
endif

image-export: setup ## write the guest image to FILE, for a machine that cannot build it
	@test -n "$(FILE)" || { echo "usage: make image-export FILE=image.tar.zst" >&2; exit 2; }
	@$(IMAGE) export "$(FILE)"

image-import: python ## take the guest image from FILE
	@test -n "$(FILE)" || { echo "usage: make image-import FILE=image.tar.zst" >&2; exit 2; }
	@$(IMAGE) import "$(FILE)"

gradescope: python ## write Gradescope's zip to FILE: it grades there by RECIPE, RUBRIC, TENANTS; or hands out RESULTS
	@test -n "$(FILE)" || { echo "usage: make gradescope FILE=x.zip TENANTS=rows.csv [RECIPE=...] [RUBRIC=...] | RESULTS=grades" >&2; exit 2; }
	@.venv/bin/python -m fixtures.gradescope pack "$(FILE)" --recipe="$(RECIPE)" --rubric="$(RUBRIC)" --tenants="$(TENANTS)" --results="$(RESULTS)"

clean-cache: ## remove the guest images and snapshots (the next run makes them again)
	@.ci/setup python
	.venv/bin/python -m topology.kernels.cache clean

clean: ## remove what was made inside this checkout (the cache outside it stays)
	rm -rf .venv reports/out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -path ./.git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
