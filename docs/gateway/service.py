"""An issuer's service in plain JSON, as it runs behind the gateway: python3 service.py [PORT]"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        except ValueError:
            self.answer(400, {"error": "the payload is not JSON"})
            return
        print(self.path, "from", self.headers["Sealane-Partner"], self.headers["Sealane-Message"], flush=True)
        answer = {name: message[name] for name in ("ProcessorId", "IssuerId", "TransactionId", "StepupRequestId")
                  if name in message}
        answer["Status"] = "SUCCESS" if "StepupRequestId" in message else "STEPUP"
        answer["Credentials"] = [{"Id": "1", "Type": "OTPSMS", "Text": "*** 1234"}]
        self.answer(200, answer)

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Service)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
