"""A trained model as a page and an HTTP interface on this machine."""
