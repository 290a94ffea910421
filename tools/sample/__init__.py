"""Generator of the sample: two small data sets in the layout of the real ones.

Its scores show that the pipeline works and say nothing about disasters.
"""

from tools.sample.crisismmd import write_crisismmd
from tools.sample.youtube import write_youtube

__all__ = ["write_crisismmd", "write_youtube"]
