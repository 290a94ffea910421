# What CI runs, and what to run before a commit.
.PHONY: check format lint types test

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
	python -m pytest -q -m "heavy and not long"
