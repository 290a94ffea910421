"""Bytes to arrays: photos, video frames and waveforms."""

from pipeline.media.audio import Waveform, read_waveform
from pipeline.media.errors import MediaError
from pipeline.media.image import read_photo
from pipeline.media.video import Clip, sample_frames

__all__ = ["Clip", "MediaError", "Waveform", "read_photo", "read_waveform", "sample_frames"]
