"""The interface: one line for what is wrong, a bounded queue, and nothing left behind."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import httpx
import pytest

from pipeline.serving.uploads import Bounds
from pipeline.serving.worker import CRASHED, FAULT, CrashedError, Question
from tests.serving.conftest import Running, Start
from tests.serving.fakes import left


def error(response: httpx.Response, status: int) -> str:
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    text: str = response.json()["error"]
    assert "\n" not in text
    return text


def waiting(server: Running, count: int) -> None:
    """Wait until so many requests are in the queue."""
    while server.client.get("/healthz").json()["queue"] < count:
        sleep(0.01)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("crash", 422, CRASHED),
        ("for ever", 504, "the post took longer than 2 seconds"),
        ("refuse", 422, "this one is wrong"),
        ("fault", 500, FAULT),
    ],
)
def test_a_post_that_fails_has_a_reason_and_the_next_one_is_answered(
    start: Start, text: str, status: int, reason: str
) -> None:
    server = start(limit=2.0 if text == "for ever" else 60.0)
    answer = server.ask(text)
    assert error(answer, status) == reason
    assert "retry-after" not in answer.headers
    assert server.ask("a").json()["text"] == "a"
    assert left(server.scratch) == []


def test_a_post_is_to_be_sent_again_if_the_process_ended_before_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(question: Question) -> dict[str, Any]:
        raise CrashedError("the process that reads posts ended")

    server = start()
    monkeypatch.setattr(server.worker, "ask", ended)
    answer = server.ask("a")
    assert "ended; it starts again, try again" in error(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


def test_a_full_queue_refuses_at_once_and_serves_those_in_it(start: Start) -> None:
    server = start(queue=3)
    with ThreadPoolExecutor(3) as threads:
        inside = [threads.submit(server.ask, "wait") for _ in range(3)]
        waiting(server, 3)
        refused = server.ask("one more")
        assert "3 requests wait already" in error(refused, 503)
        assert int(refused.headers["retry-after"]) > 0
        (server.scratch / "go").touch()
        assert [one.result().status_code for one in inside] == [200] * 3
    assert server.ask("a").status_code == 200


def test_health_tells_of_model_worker_and_queue(start: Start) -> None:
    health = start().client.get("/healthz").json()
    assert (health["model"], health["worker"], health["queue"]) == ("fake", "ready", 0)


def raw(server: Running, head: str, body: bytes = b"") -> bytes:
    """Send bytes as they are; returns the first of the answer."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        return connection.recv(4000)


FORM = "content-type: multipart/form-data; boundary=b\n"
PART = b'--b\r\ncontent-disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'


def test_a_large_body_is_refused_before_it_is_sent(start: Start) -> None:
    server = start(bounds=Bounds(body=1000))
    head = f"POST /predict HTTP/1.1\nhost: localhost\n{FORM}content-length: 999999\n"
    assert b" 413 " in raw(server, head)


def test_a_body_of_no_declared_length_is_refused_where_it_passes_the_bound(start: Start) -> None:
    server = start(bounds=Bounds(body=1000))
    head = f"POST /predict HTTP/1.1\nhost: localhost\n{FORM}transfer-encoding: chunked\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [PART, 2000 * b"a"])
    assert b" 413 " in raw(server, head, chunks)  # the body has no end
    waiting(server, 0)
    assert left(server.scratch) == []


def test_a_head_that_does_not_arrive_holds_no_connection(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.server.HEAD_SECONDS", 0.5)
    server = start()
    host, _, port = server.url.removeprefix("http://").partition(":")
    whole = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    for sent in (b"", whole[:30], whole + whole[:30]):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(sent)
            answer = b"".join(iter(lambda c=connection: c.recv(4000), b""))  # until it is closed
        assert answer.count(b"200 OK") == sent.count(b"\r\n\r\n")


def test_an_answer_may_take_longer_than_a_head(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.server.HEAD_SECONDS", 0.5)
    error(start(limit=1.0).ask("for ever"), 504)


def test_a_body_that_does_not_arrive_is_refused_and_frees_its_place(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.app.BODY_SECONDS", 0.2)
    server = start()
    head = f"POST /predict HTTP/1.1\nhost: localhost\n{FORM}content-length: 999\n"
    assert b" 408 " in raw(server, head, PART)
    assert server.client.get("/healthz").json()["queue"] == 0
    assert left(server.scratch) == []


def test_other_routes_are_refused_in_the_same_form(start: Start) -> None:
    server = start()
    assert error(server.client.get("/no/<b>"), 404) == "GET /no/<b>: Not Found"
    answer = server.client.get("/predict")
    assert "Method Not Allowed" in error(answer, 405)
    assert answer.headers["allow"] == "POST"


def test_a_fault_of_the_server_is_one_line_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.serving.uploads.shutil.copyfileobj", full)
    server = start()
    answer = server.client.post("/predict", files={"image": ("a.jpg", b"a")})
    assert "its terminal says why" in error(answer, 500)
    assert "content-security-policy" in answer.headers
    assert left(server.scratch) == []


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:80", "10.0.0.1", "[::2]:1"]
)
def test_other_names_are_refused(start: Start, host: str) -> None:
    server = start()
    for path in ("/", "/healthz"):
        error(server.client.get(path, headers={"host": host}), 421)
    own = [
        server.client.get("/", headers={"host": h}).status_code for h in ("localhost:1", "[::1]")
    ]
    assert own == [200, 200]


def test_pages_of_other_sites_are_refused(start: Start) -> None:
    server = start()
    for origin in ("http://evil.example", "null"):
        answer = server.client.post("/predict", json={"text": "a"}, headers={"origin": origin})
        error(answer, 403)
    answer = server.client.post("/predict", json={"text": "a"}, headers={"origin": server.url})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_forbids_scripts_from_elsewhere(start: Start) -> None:
    server = start()
    answers = [server.client.get(path) for path in ("/", "/page.js", "/style.css", "/no", "/docs")]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 404]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["cache-control"] == "no-store"


def test_no_path_leads_out_of_the_page(start: Start) -> None:
    server = start()
    for path in ("/../app.py", "/%2e%2e/app.py", "/page/index.html", "//etc/passwd"):
        assert b" 404 " in raw(server, f"GET {path} HTTP/1.1\nhost: localhost\n")
