"""An application behind a gateway, with Flask. It answers with the route that it chose, and what it saw.

    app.py wsgiref|waitress|gunicorn

It prints its URL, and serves until its standard input ends.
"""

import os
import socket
import sys
import threading

from flask import Flask, jsonify, request

app = Flask(__name__)
every = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def seen(route):
    request.get_data()
    headers = {name: value for name, value in request.environ.items() if name.startswith("HTTP_")}
    return jsonify(route=route, path=request.path, headers=headers)


@app.route("/public/<x>", methods=every)
def public(x):
    return seen("public")


@app.route("/", defaults={"path": ""}, methods=every)
@app.route("/<path:path>", methods=every)
def other(path):
    return seen("other")


def say(port):
    print(f"http://127.0.0.1:{port}", flush=True)


def until_input_ends():
    sys.stdin.read()
    os._exit(0)


def wsgiref():
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, *arguments):
            pass

    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    say(server.server_port)
    server.serve_forever()


def waitress():
    from waitress.server import create_server

    server = create_server(app, host="127.0.0.1", port=0)
    say(server.effective_port)
    server.run()


def gunicorn():
    from gunicorn.app.base import BaseApplication

    listening = socket.create_server(("127.0.0.1", 0))
    say(listening.getsockname()[1])

    class Server(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", f"fd://{listening.fileno()}")
            self.cfg.set("header_map", "dangerous")  # headers with underscores are not dropped
            self.cfg.set("loglevel", "critical")
            self.cfg.set("control_socket_disable", True) if "control_socket_disable" in self.cfg.settings else None

        def load(self):
            return app

    Server().run()


if sys.argv[1] == "gunicorn":  # its parent process handles signals in the main thread
    parent = os.getpid()

    def stop():
        if os.getpid() == parent:
            sys.stdin.read()
            os.kill(parent, 2)

    threading.Thread(target=stop, daemon=True).start()
else:
    threading.Thread(target=until_input_ends, daemon=True).start()
{"wsgiref": wsgiref, "waitress": waitress, "gunicorn": gunicorn}[sys.argv[1]]()
