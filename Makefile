# What CI runs, and what to run before a commit.
.PHONY: check format lint types test tables

check: lint types test

format:
	ruff format .
	ruff check --fix .

lint:
	ruff format --check .
	ruff check .

types:
	mypy

test:
	python -m pytest -q

# The paper's tables on two cores: rows of one fusion beside those of the others, then the report.
# `dvc repro tables/dvc.yaml` makes the same on one. `-s`: what comes before was made, and two runs of
# it would be in each other's way.
ROWS = HGFN_WORKERS=1 dvc --wait-for-lock repro -s --glob
SETS = crisismmd youtube
tables:
	dvc repro
	$(ROWS) $(SETS:%='tables/%/dvc.yaml:*@cfc_*') & other=$$!; \
	$(ROWS) $(SETS:%='tables/%/dvc.yaml:*@[!c]*'); mine=$$?; \
	wait $$other && exit $$mine
	dvc repro tables/dvc.yaml
