"""Untrusted files and addresses: fetching, archives, weight files, manifests, HDF5."""
