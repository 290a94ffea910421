"""Arrays to features: the three networks, their files, and the tokenizer."""

from pipeline.extractors.elmo import ELMo
from pipeline.extractors.inception import InceptionV3
from pipeline.extractors.soundnet import SoundNet
from pipeline.extractors.tokens import tokenize

__all__ = ["ELMo", "InceptionV3", "SoundNet", "tokenize"]
