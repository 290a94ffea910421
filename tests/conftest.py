"""Fixtures of every test, and shapes enforced at run time."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from filelock import FileLock
from hypothesis import settings
from jaxtyping import install_import_hook

# Must stand before the first import of the house: the hook rewrites modules as they load.
install_import_hook("pipeline", "beartype.beartype")

# The first example of a test pays for imports; time is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# As the stages run: results are those of one thread, and workers of xdist do not get in each
# other's way.
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A folder that all workers of a run share, named by their parent.
SHARED = "HGFN_TEST_SHARED"


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[SHARED] = tempfile.mkdtemp(prefix="hgfn-tests-")


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True)


@pytest.fixture(scope="session")
def tiny_project() -> Path:
    """A folder in which all stages of both sets ran on `../sources`; its tests only read it.

    `output.txt` is what the stages printed.
    """
    # Not above: the hook must be there before the first import of the house.
    from tests.stages.runs import prepare, run, write_sources

    folder = Path(os.environ[SHARED])
    with FileLock(folder / "lock"):
        if not (folder / "project" / "output.txt").exists():
            write_sources(folder / "sources")
            prepare(folder / "project", folder / "sources")
            output = run(folder / "project", ["crisismmd", "youtube"])
            (folder / "project" / "output.txt").write_text(output)
    return folder / "project"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs that are not part of the repository."""
    folder = Path(os.environ.get("HGFN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real test inputs are not at {folder}; set HGFN_SHARED_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, one for all tests of a process; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def largest_file() -> Callable[[int], AbstractContextManager[None]]:
    """`with largest_file(4000):` makes the disk seem full after 4,000 bytes of a file."""
    resource = pytest.importorskip("resource")  # not on Windows

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return limit


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[int, str], subprocess.CompletedProcess[str]]:
    """`small_disk(2, code)` runs Python where the folder `sys.argv[1]` is a disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def run(megabytes: int, code: str) -> subprocess.CompletedProcess[str]:
        mount = f'mount -t tmpfs -o size={megabytes}m none "$1" && exec "$2" -c "$3" "$1"'
        alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", folder]
        if subprocess.run([*alone, "true", ""], capture_output=True).returncode:
            pytest.skip("this machine lets us mount no disk of our own")
        return subprocess.run([*alone, sys.executable, code], capture_output=True, text=True)

    return run


@dataclass
class Site:
    """A server on a loopback address: its base address, and the headers it was asked with."""

    url: str
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


Answer = Callable[[BaseHTTPRequestHandler], None]


def whole(body: bytes) -> Answer:
    """Answer with a file and its length."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@dataclass(frozen=True)
class Authority:
    """A certificate authority that no store knows, and a server's context that it signed."""

    file: Path
    tls: ssl.SSLContext


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority whose server is 127.0.0.1 and the name files.invalid."""
    folder = tmp_path_factory.mktemp("authority")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority of a test")])
    now = datetime.now(UTC)
    hosts = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("files.invalid")]
    usage = x509.KeyUsage(
        True,
        *[False] * 4,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "authority.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem, private)
    return Authority(pem, tls)


@pytest.fixture
def in_systems_store(authority: Authority) -> list[str]:
    """A command that runs the words after it where the system's store holds the authority."""
    store = Path("/etc/ssl/certs/ca-certificates.crt")
    mount = f'mount --bind {authority.file} {store} && exec "$@"'
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None or not store.is_file():
        pytest.skip("replaces Debian's store in a mount namespace of its own")
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no mount namespaces")
    return alone


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """`serve(first, second)` answers one request after the other; the last answer goes on.

    An answer in bytes is a whole file. With `tls` (see `authority`) the address is https.
    """
    running: list[ThreadingHTTPServer] = []

    def start(*answers: Answer | bytes, tls: ssl.SSLContext | None = None) -> Site:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(dict(self.headers))
                site.paths.append(self.path)
                answer = answers[min(len(site.asked), len(answers)) - 1]
                whole(answer)(self) if isinstance(answer, bytes) else answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        site = Site(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
        # The default polls for the end twice a second, for which each test would wait.
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        return site

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


class Tunnel(BaseHTTPRequestHandler):
    """A proxy that forwards plain requests and tunnels, and knows names that no DNS knows."""

    def do_GET(self) -> None:
        self.server.requested.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"body" * 100)

    def do_CONNECT(self) -> None:
        self.server.requested.append(self.path)  # type: ignore[attr-defined]
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as there:
            self.send_response(200)
            self.end_headers()
            back = Thread(target=forward, args=(there, self.connection), daemon=True)
            back.start()
            forward(self.connection, there)
            back.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tunnel)
    server.daemon_threads = True
    server.requested = []  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
