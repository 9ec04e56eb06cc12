"""A local HTTP server that stands in for whoever is told of a flow."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "s3cr3t-token-in-the-url"


class Webhook:
    def __init__(self, port):
        self.heard, self.answer = [], 200
        self.url = f"json://127.0.0.1:{port}/{SECRET}"

    def nowhere_in(self, folder):
        """The secret of the URL stands in no file of a folder."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


@contextmanager
def listening():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.heard.append({**told, "path": self.path})
            self.send_response(hook.answer)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Webhook(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
