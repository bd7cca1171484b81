# mes_server.py CERT KEY FOLDER : a MES over HTTPS on a free port of 127.0.0.1, which it writes to FOLDER/port. It answers with the status in
# FOLDER/status, or in FOLDER/status-SERIAL where there is one, and with 200 keeps each record as FOLDER/ID.json and counts how often it came in FOLDER/ID.count; FOLDER/order
# has their ids as they came.
import http.server
import json
import pathlib
import ssl
import sys

cert, key, folder = sys.argv[1:3] + [pathlib.Path(sys.argv[3])]


class Mes(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        own = folder / f"status-{json.loads(body).get('device', {}).get('serial', '-')}"
        status = int((own if own.exists() else folder / "status").read_text())
        record = self.headers["Handsel-Record"]
        if self.headers["Idempotency-Key"] != f'"{record}"' or self.headers["Content-Type"] != "application/json":
            status = 400
        if status == 200:
            (folder / f"{record}.json").write_bytes(body)
            with open(folder / f"{record}.count", "a") as count:
                count.write("x")
            with open(folder / "order", "a") as order:
                order.write(f"{record}\n")
        text = b"order 7 is not known here\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


server = http.server.HTTPServer(("127.0.0.1", 0), Mes)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
(folder / "port").write_text(str(server.server_port))
server.serve_forever()
