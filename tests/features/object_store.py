"""A store that speaks as much of S3's protocol as the cache needs, on the loopback address."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler


class ObjectStore(BaseHTTPRequestHandler):
    """Objects by path, held in memory; one class attribute, so one store at a time."""

    objects: dict[str, bytes]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.objects[self.path] = self._body()
        self._answer(200, {"ETag": '"0"'})

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if "list-type" in query:
            self._answer(200, {}, b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>")
        elif path in self.objects:
            self._answer(200, {"ETag": '"0"'}, self.objects[path])
        else:
            self._answer(404, {}, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")

    def do_HEAD(self) -> None:
        held = self.path in self.objects
        self._answer(200 if held else 404, {"ETag": '"0"'} if held else {})

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._answer(204, {})

    def do_POST(self) -> None:
        self._body()
        self._answer(200, {}, b"<DeleteResult></DeleteResult>")

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
