"""What arrives: bounded, of known fields, and under names of the server's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.serving.uploads import Bounds
from tests.serving.conftest import Running, running
from tests.serving.fakes import left
from tests.serving.test_app import error

PHOTO = b"\xff\xd8 not really"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("scratch"), bounds=Bounds(text=100, photos=3)) as server:
        yield server


def send(server: Running, *files: tuple[str, str], **data: Any) -> Any:
    parts = [(field, (name, PHOTO)) for field, name in files]
    return server.client.post("/predict", files=parts, data=data)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("flood.JPG", "image-1.jpg"),
        ("../../../../etc/cron.d/a.png", "image-1.png"),
        ("/etc/passwd", "image-1"),
        ("C:\\windows\\a.webp", "image-1.webp"),
        ("a.jpg/../../b", "image-1"),
        ("concat:a.m3u8", "image-1"),
        ("a.mp4", "image-1"),
        ("a.jpg;b.jpg", "image-1.jpg"),
        ("\u202egpj.exe", "image-1"),
        (250 * "a" + ".jpg", "image-1.jpg"),
    ],
)
def test_a_name_gives_its_suffix_at_most(server: Running, name: str, written: str) -> None:
    answer = send(server, ("image", name)).json()
    assert answer["folder"] == [written]
    assert answer["files"] == {written: len(PHOTO)}
    assert left(server.scratch) == []


def test_a_form_holds_a_text_and_photos_or_a_clip(server: Running) -> None:
    photos, clip = [("image", "a.png"), ("image", "b.jpg")], ("video", "c.mov")
    answer = send(server, *photos, text="Flood").json()
    assert answer["text"] == "Flood"
    assert sorted(answer["files"]) == ["image-1.png", "image-2.jpg"]
    assert list(send(server, clip).json()["files"]) == ["video-1.mov"]
    assert "photos and a clip; send either" in error(send(server, *photos, clip), 422)
    assert not answer["explain"]


def test_an_explanation_is_asked_for_by_its_parameter(server: Running) -> None:
    answer = server.client.post("/predict?explain=1", json={"text": "a"})
    assert answer.json()["explain"]


@pytest.mark.parametrize("query", ["explain=true", "explain=", "explian=1", "explain=1&x=%0a"])
def test_a_parameter_that_would_be_ignored_is_refused(server: Running, query: str) -> None:
    answer = server.client.post(f"/predict?{query}", json={"text": "a"})
    assert "allowed: explain=1" in error(answer, 422)


@pytest.mark.parametrize("charset", ["undefined", "punycode", "zip", "rot13", "none"])
def test_a_codec_of_the_clients_choice_breaks_nothing(server: Running, charset: str) -> None:
    body = b'--b\r\ncontent-disposition: form-data; name="text"\r\n\r\n\x80a\r\n--b--\r\n'
    kind = {"content-type": f"multipart/form-data; boundary=b; charset={charset}"}
    assert server.client.post("/predict", content=body, headers=kind).status_code in (200, 422)


def test_fields_of_a_browser_in_which_nothing_was_chosen_count_as_none(server: Running) -> None:
    empty = b'--b\r\ncontent-disposition: form-data; name="image"; filename=""\r\n\r\n\r\n'
    text = b'--b\r\ncontent-disposition: form-data; name="text"\r\n\r\nFlood\r\n--b--\r\n'
    kind = {"content-type": "multipart/form-data; boundary=b"}
    assert server.client.post("/predict", content=empty + text, headers=kind).json()["files"] == {}


@pytest.mark.parametrize("text", ["", "   \n", None])
def test_nothing_at_all_is_refused(server: Running, text: str | None) -> None:
    told = error(server.client.post("/predict", json={"text": text}), 422)
    assert told == "nothing to look at; send a text, a photo or a clip"
    assert error(server.client.post("/predict", json={}), 422) == told
    assert error(server.client.post("/predict", files={"text": (None, text or "")}), 422) == told


def test_bounds_on_text_and_files(server: Running) -> None:
    assert "at most 100" in error(server.ask(101 * "a"), 413)
    assert server.ask(100 * "\U0001f30a").status_code == 200
    for count in (4, 5, 20):
        error(send(server, *[("image", "a.jpg")] * count), 413)
    assert "at most one" in error(send(server, ("video", "a.mp4"), ("video", "b.mp4")), 413)
    error(send(server, ("image", "a.jpg"), text=2000 * "a"), 413)
    error(server.ask(100_000 * "a"), 413)
    assert left(server.scratch) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 1000, "not JSON"),
        (b"[]", "no object"),
        (b'{"text": 3}', "no string"),
        (b'{"txt": "a"}', "unknown key 'txt'"),
        (b'{"image": "/etc/passwd"}', "files go in a multipart/form-data form"),
        (b'{"text": "\\ud83d"}', "surrogate"),
    ],
)
def test_json_that_is_wrong_is_refused_in_one_line(server: Running, body: bytes, told: str) -> None:
    kind = {"content-type": "application/json"}
    assert told in error(server.client.post("/predict", content=body, headers=kind), 422)


def test_forms_that_are_wrong_are_refused_in_one_line(server: Running) -> None:
    assert "unknown field" in error(send(server, ("photo", "a.jpg")), 422)
    assert "image is a text" in error(send(server, ("video", "a.mp4"), image="/etc/passwd"), 422)
    assert "text is a file" in error(send(server, ("text", "a.txt")), 422)
    assert "several texts" in error(send(server, ("image", "a.jpg"), text=["a", "b"]), 422)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=b"):
        answer = server.client.post("/predict", content=b"?", headers={"content-type": kind})
        assert "cannot be read" in error(answer, 422)
    answer = server.client.post("/predict", content=b"a", headers={"content-type": "text/plain"})
    assert "send application/json" in error(answer, 415)
    assert left(server.scratch) == []
