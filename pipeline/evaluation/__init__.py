"""From probabilities to scores, baselines, tables and pictures."""
