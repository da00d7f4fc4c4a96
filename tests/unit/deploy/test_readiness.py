"""Readiness probes make real requests, and the stack refuses ports that are taken."""

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import readiness, stack
from deploy.local.programs import programs
from deploy.local.settings import LocalSettings
from shared.nats_users import USERS


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/good" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_only_a_200_is_ready(server: str):
    readiness.get(f"{server}/good")
    with pytest.raises(readiness.NotReady, match="503"):
        readiness.get(f"{server}/bad")


def test_a_timeout_reports_the_last_error(server: str):
    with pytest.raises(readiness.NotReady, match=r"not ready after 0 s: NotReady: .*503"):
        readiness.wait(lambda: readiness.get(f"{server}/bad"), timeout_s=0.1)


def test_an_open_port_that_is_not_mongo_is_not_ready(server: str):
    with pytest.raises((readiness.NotReady, OSError)):
        readiness.wait(lambda: readiness.ping_mongo(int(server.rsplit(":", 1)[1])), timeout_s=0.1)


def test_a_taken_port_is_named_with_its_setting(server: str, tmp_path: Path):
    port = int(server.rsplit(":", 1)[1])
    settings = LocalSettings(state_dir=tmp_path, review_port=port, _env_file=None)
    with pytest.raises(stack.StackError, match=rf"port {port} for review is taken .* ASSAY_REVIEW_PORT"):
        stack.refuse_taken_ports(programs(settings, dict.fromkeys(USERS, "secret")))


def test_a_free_port_is_not_refused():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert not stack.is_taken("127.0.0.1", port)
