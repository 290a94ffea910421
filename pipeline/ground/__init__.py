"""What every floor stands on: paths, failures, whole files, processes, a stage's command."""
