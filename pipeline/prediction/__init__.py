"""A trained model on new material."""
