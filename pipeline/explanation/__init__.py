"""What a trained network's probabilities rest on: modalities, words, steps, regions of a photo."""
