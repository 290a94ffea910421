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

# The paper's tables on two cores: a data set each, then the report. `dvc repro tables/dvc.yaml` makes
# the same on one. `-s`: what comes before was made, and two runs of it would be in each other's way.
tables:
	dvc repro
	dvc --wait-for-lock repro -s tables/crisismmd/dvc.yaml & other=$$!; \
	dvc --wait-for-lock repro -s tables/youtube/dvc.yaml; youtube=$$?; \
	wait $$other && exit $$youtube
	dvc repro tables/dvc.yaml
