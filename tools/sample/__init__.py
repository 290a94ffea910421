"""The embedded sample: two small data sets made by code, in the layout of the real ones.

Its scores show that the machinery works and mean nothing about disasters.
"""

from tools.sample.crisismmd import write_crisismmd
from tools.sample.youtube import write_youtube

__all__ = ["write_crisismmd", "write_youtube"]
