"""One thin module a stage of tables/dvc.yaml."""
