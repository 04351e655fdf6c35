"""A small shop: /healthz says that this process works; every other endpoint asks the database, one connection each."""

import json
import os
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

TAX_RATES = {"de": 0.19, "fr": 0.20, "none": 0.0}


def log(level, text):
    now = time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime())
    print(f"[{now}] [{os.getpid()}] [{level}] {text}", file=sys.stderr, flush=True)


def query(sql):
    connection = psycopg2.connect(os.environ["DATABASE_URL"], connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()
    finally:
        connection.close()


def items():
    return {"items": query("SELECT count(*) FROM items")[0][0]}


def prices():
    rate = TAX_RATES[os.environ.get("TAX_REGION", "de")]
    rows = query("SELECT name, price_cents FROM items ORDER BY id")
    return {name: round(cents * (1 + rate)) for name, cents in rows}


def catalogue():
    return {**items(), "prices": prices()}


ENDPOINTS = {"/healthz": lambda: {"status": "ok"}, "/items": catalogue, "/prices": prices}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        endpoint = ENDPOINTS.get(self.path.split("?")[0])
        if endpoint is None:
            return self.answer(404, {"error": "not found"})
        try:
            self.answer(200, endpoint())
        except Exception:
            log("ERROR", f"Exception on {self.path} [GET]\n{traceback.format_exc().rstrip()}")
            self.answer(500, {"error": "internal server error"})

    def answer(self, status, body):
        data = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, template, *args):
        now = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        print(f"{self.client_address[0]} - - [{now}] {template % args}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    threading.stack_size(256 * 1024)
    log("INFO", "Listening at: http://0.0.0.0:8000")
    ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
