from __future__ import annotations

from pathlib import Path

from pipeline.features.extract import item_key
from pipeline.features.recipe import Item


def write(path: Path, contents: str) -> Path:
    path.write_text(contents)
    return path


def test_an_items_digest_is_of_its_input_not_of_its_name(tmp_path: Path) -> None:
    one = Item("one", path=write(tmp_path / "one.jpg", "same"))
    two = Item("two", path=write(tmp_path / "two.png", "same"))
    assert one.digest() == two.digest()
    assert Item("a", text="flood").digest() == Item("b", text="flood").digest()


def test_what_is_read_changes_the_digest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", "bytes")
    other = write(tmp_path / "b.mp4", "other")
    items = [
        Item("a", path=path),
        Item("a", path=other),
        Item("a", path=path, start=0.0),
        Item("a", path=path, end=1.0),
        Item("a", path=path, start=1.0),
        Item("a", path=path, start=0.0, end=1.0),
        Item("a", text="bytes"),
        Item("a", text=""),
    ]
    assert len({item.digest() for item in items}) == len(items)


def test_everything_that_changes_the_bytes_changes_the_key() -> None:
    item, other = Item("a", text="x"), Item("a", text="y")
    keys = [
        item_key("text", {"version": "1", "layer": "top"}, item),
        item_key("text", {"version": "1", "layer": "top"}, other),
        item_key("text", {"version": "2", "layer": "top"}, item),
        item_key("text", {"version": "1", "layer": "average"}, item),
        item_key("visual", {"version": "1", "layer": "top"}, item),
    ]
    assert len(set(keys)) == len(keys)
    assert item_key("text", {"layer": "top", "version": "1"}, Item("b", text="x")) == keys[0]
