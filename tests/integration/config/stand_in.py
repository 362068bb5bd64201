"""A tiny portal for tests of the supervisor, and commands that use its servers.

python stand_in.py up DIARY       the supervisor, with the programs below
python stand_in.py web|sleeper    one of its programs; both write into DIARY how they fare
python stand_in.py connect        use the servers until standard input ends
python stand_in.py abandon        start the servers where no signal tells of a parent's death, and vanish
"""

from __future__ import annotations

import http.server
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))


def main(deed: str) -> int:
    return {"up": up, "web": web, "sleeper": sleeper, "connect": connect, "abandon": abandon}[deed]()


def up() -> int:
    from config import children, supervisor
    from config.children import Program
    from config.settings import Settings

    def choose(_: Settings) -> list[Program]:
        stop = ((signal.SIGTERM, 5.0),)
        me = [sys.executable, __file__]
        names = [("web", "web"), ("ticker", "sleeper"), ("worker 1", "sleeper")]
        return [Program(name, [*me, deed, name], stop) for name, deed in names]

    def prepare(environment: object) -> None:
        write("prepare")
        if os.environ.get("STAND_IN_PREPARE") == "fails":
            raise supervisor.ServiceError("the migration failed")

    children.DEATHS_ALLOWED = int(os.environ.get("STAND_IN_DEATHS", "5"))
    return supervisor.up(Settings(), prepare=prepare, choose=choose)


def web() -> int:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(str(os.getpid()).encode())

        def log_message(self, *_: object) -> None:
            pass

    if os.environ.get("STAND_IN_WEB") == "fails":
        return 3
    farewell()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORTAL_PORT"])), Handler).serve_forever()
    return 0


def sleeper() -> int:
    farewell()
    while True:
        time.sleep(60)


def connect() -> int:
    from config import services
    from config.settings import Settings

    print(services.connect(Settings()).database_url, flush=True)
    sys.stdin.read()
    return 0


def abandon() -> int:
    from config import services
    from config.services import processes
    from config.settings import Settings

    processes.last_words = lambda _: None
    print(services.start(Settings()).addresses.database_url, flush=True)
    os._exit(9)


def farewell() -> None:
    """Note our start, and the end we are asked for, in the diary."""
    write(f"start {sys.argv[2]} {os.getpid()}")

    def leave(*_: object) -> None:
        write(f"stop {sys.argv[2]}")
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)


def write(line: str) -> None:
    with Path(os.environ["STAND_IN_DIARY"]).open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
