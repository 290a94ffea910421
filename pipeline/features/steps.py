"""The two steps of an extraction: items are read, and a network computes on what was read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.features.entry import Entry
from pipeline.features.recipe import FILE, Item, Network, Read, Reader, Recipe
from pipeline.features.torch_memory import torch_memory
from pipeline.media.errors import MediaError


def in_turn(recipe: Recipe) -> Callable[[Sequence[Item]], list[Entry]]:
    """Open a recipe; the function returned reads up to `batch` items, then computes on them."""
    reader, network = recipe.reader(), recipe.network()
    return lambda items: compute(network, items, [read(reader, item) for item in items])


def read(reader: Reader, item: Item) -> Read:
    """Read an item; what its bytes make impossible becomes its fault.

    Other errors are raised, with a note that names the item.
    """
    try:
        with torch_memory("reading"):
            return reader(item)
    except MediaError as error:
        if error.kind == "missing_file":
            # It was there when it was hashed: a fault of this machine, not of the item's bytes.
            raise
        # An entry serves every file of the same bytes: it must not name the first one's path.
        return Read(None, (error.kind, str(error).replace(str(item.path), FILE)))
    except Exception as error:
        error.add_note(f"while {item.id} was read")
        raise


def compute(network: Network, items: Sequence[Item], reads: Sequence[Read]) -> list[Entry]:
    """Run a network on what was read of items; an entry each, a fault where there is no input."""
    inputs = [found.input for found in reads if found.input is not None]
    with torch_memory(f"the network on {items[0].id} and {len(items) - 1} more"):
        arrays = iter(network(inputs) if inputs else [])
    return [
        Entry(None, found.fault) if found.input is None else finite(next(arrays), found.fault)
        for found in reads
    ]


def finite(array: np.ndarray, fault: tuple[str, str] | None = None) -> Entry:
    """Make an entry of a float32 array, or of a fault where a value is not finite."""
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        return Entry(None, ("not_finite", f"{FILE}: features are not finite"))
    return Entry(array, fault)
