"""Files over HTTP: fetched whole or not at all, verified, and from nowhere they should not be."""
