"""Open streams under the real web server: pages stay quick, and a stop does not wait for them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from flask.sessions import SecureCookieSessionInterface

from portal import accounts
from portal.core import broker, events
from tests.support.cast import Cast
from tests.support.processes import eventually

SERVER = """
import gunicorn.app.base, os
from config.settings import Settings
from portal.factory import create_app
class Server(gunicorn.app.base.BaseApplication):
    def load_config(self):
        for name, value in {"bind": os.environ["BIND"], "threads": 8, "worker_class": "gthread",
                            "graceful_timeout": 20, "control_socket_disable": True}.items():
            self.cfg.set(name, value)
    def load(self):
        return create_app(Settings(web_threads=8))
Server().run()
"""


@pytest.fixture
def server(settings, committed):
    """Gunicorn with eight threads on this test's database; answers its address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        bind = f"127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {
        "BIND": bind,
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "PORTAL_DATA_DIR": str(settings.portal_data_dir),
        "PYTHONPATH": ".",
    }
    process = subprocess.Popen([sys.executable, "-c", SERVER], env=environment)
    eventually(lambda: _answers(bind), seconds=20)
    yield f"http://{bind}", process
    process.kill()
    process.wait()


def _answers(bind):
    host, port = bind.split(":")
    with socket.socket() as probe:
        if probe.connect_ex((host, int(port))):
            return False
    return urllib.request.urlopen(f"http://{bind}/health/live", timeout=10).status == 200


def test_streams_leave_pages_quick_and_end_with_the_server(app, committed, server):
    address, process = server
    cast = Cast.make()
    cookie = _cookie(app, accounts.start_session(cast.viewer))
    committed.commit()

    def get(path):
        request = urllib.request.Request(address + path, headers={"Cookie": cookie, "HX-Request": "true"})
        return urllib.request.urlopen(request, timeout=10)

    project = f"/projects/{cast.project.id}"
    streams = [get(f"{project}/events") for _ in range(2)]
    assert [stream.status for stream in streams] == [200, 200]
    with get(f"{project}/events") as over_the_cap:
        assert over_the_cap.status == 204
    started = time.monotonic()
    with get(f"{project}/operations/tray") as page:
        assert page.status == 200
    assert time.monotonic() - started < 1
    eventually(lambda: broker.client().pubsub_numsub(events.channel())[0][1] > 0)
    events.publish(events.project_topic(cast.project.id), "workorder-updated", cast.project.id)
    heard = _until(streams[0], "event: workorder-updated")
    assert re.search(r"^id: \d+-\d+$", heard, re.MULTILINE)
    started = time.monotonic()
    process.terminate()
    for stream in streams:
        stream.read()
        stream.close()
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - started < 5


def _until(stream, text):
    heard = ""
    while text not in heard:
        line = stream.readline().decode()
        assert line, "the stream ended"
        heard += line
    return heard


def _cookie(app, token):
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    return f"{app.config['SESSION_COOKIE_NAME']}={serializer.dumps({'_user_id': token, '_fresh': True})}"
