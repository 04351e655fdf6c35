"""A service made of its environment: it calls what it is told to call and logs failures as real programs do.

PORT, BIND; DATABASE_URL, CACHE_URL, UPSTREAMS (comma list of http URLs); LOG_STYLE (python, node, go, java, plain);
CALL_TIMEOUT seconds; POOL_SIZE with LEAK=1 keeps connections; BOOT_SLEEP; REQUIRE (comma list of variables).
/healthz never calls anything; /items asks the database, /cart the cache, /call every upstream, / says who this is.
"""

import json
import os
import socket
import sys
import threading
import time
import traceback
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

STYLE = os.environ.get("LOG_STYLE", "python")
TIMEOUT = float(os.environ.get("CALL_TIMEOUT", "3"))
LEAKED = []


def log(level, text):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if STYLE == "java":
        print(f"{now} {level:5} 1 --- [http-nio-exec-1] c.example.Service : {text}", flush=True)
    elif STYLE == "go":
        print(json.dumps({"time": now, "level": level, "msg": text}), flush=True)
    else:
        print(f"[{now}] [{level}] {text}", file=sys.stderr, flush=True)


def said(error, url):
    """The failure of one call, in the words of the program whose style this is."""
    peer = urlparse(url)
    host, port = peer.hostname, peer.port or 80
    refused = isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower()
    unknown = isinstance(error, socket.gaierror) or "name" in str(error).lower() and "resol" in str(error).lower()
    if STYLE == "node" and refused:
        return f"Error: connect ECONNREFUSED {address(host)}:{port}\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16)"
    if STYLE == "node" and unknown:
        return f"Error: getaddrinfo ENOTFOUND {host}"
    if STYLE == "go" and refused:
        return f"dial tcp {address(host)}:{port}: connect: connection refused"
    if STYLE == "go" and unknown:
        return f"dial tcp: lookup {host} on 127.0.0.11:53: no such host"
    if STYLE == "java" and refused:
        return f"org.postgresql.util.PSQLException: Connection to {host}:{port} refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections."
    if STYLE == "java" and unknown:
        return f"java.net.UnknownHostException: {host}"
    return "".join(traceback.format_exception(error)).rstrip()


def address(host):
    try:
        return socket.gethostbyname(host)
    except OSError:
        return host


def database():
    import psycopg2

    connection = psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=max(2, int(TIMEOUT)))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(os.environ.get("QUERY", "SELECT count(*) FROM items"))
            return cursor.fetchall()[0][0]
    finally:
        if os.environ.get("LEAK") == "1":
            LEAKED.append(connection)
        else:
            connection.close()


def cache():
    import redis

    client = redis.Redis.from_url(os.environ["CACHE_URL"], socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
    client.set("seen", str(time.time()))
    return client.get("seen").decode()


def upstreams():
    answers = {}
    for url in os.environ.get("UPSTREAMS", "").split(","):
        if url:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                answers[url] = answer.status
    return answers


CALLS = {"/items": ("DATABASE_URL", database), "/cart": ("CACHE_URL", cache), "/call": ("UPSTREAMS", upstreams)}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        if path in ("/", "/healthz"):
            return self.answer(200, {"service": os.environ.get("NAME", socket.gethostname())})
        variable, call = CALLS.get(path, (None, None))
        if call is None:
            return self.answer(404, {"error": "not found"})
        try:
            self.answer(200, {"result": call()})
        except Exception as error:
            log("ERROR", f"{path} failed: {said(error, os.environ.get(variable, '').split(',')[0])}")
            self.answer(500, {"error": "internal server error"})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        client = self.client_address[0]
        print(f'{client} - - [{self.log_date_time_string()}] {form % args}', file=sys.stderr, flush=True)


for name in filter(None, os.environ.get("REQUIRE", "").split(",")):
    if name not in os.environ:
        sys.exit(f"fatal: required environment variable {name} is not set")

time.sleep(float(os.environ.get("BOOT_SLEEP", "0")))
server = ThreadingHTTPServer((os.environ.get("BIND", "0.0.0.0"), int(os.environ.get("PORT", "8000"))), Handler)
server.daemon_threads = True
log("INFO", f"listening on {os.environ.get('PORT', '8000')}")


def own_traffic():
    """Its users: somebody asks for every endpoint it has, so that failures reach its log."""
    port = int(os.environ.get("PORT", "8000"))
    while True:
        for path, (variable, _) in CALLS.items():
            if variable in os.environ:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).read()
                except OSError:
                    pass
        time.sleep(float(os.environ.get("TRAFFIC_EVERY", "2")))


if os.environ.get("TRAFFIC", "1") == "1":
    threading.Thread(target=own_traffic, daemon=True).start()
server.serve_forever()
