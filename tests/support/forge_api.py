"""A forge on loopback: the calls of GitHub's and GitLab's API that a job makes, and pushes over HTTP that need a token."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

GITHUB_TOKEN, COMMENT_TOKEN, PUSH_TOKEN = "ghs_canary_job", "glpat-canary-comment", "glpat-canary-push"
BOT_ID = 77


class ForgeApi:
    """One repository, `o/r` or project 5, with request 7; `comments` holds what is said there, `merged` the commit it made."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.comments: list[dict[str, Any]] = []
        self.merged: str | None = None
        self.proposed = "0" * 40
        self.within = True
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"forge": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def say(self, body: str, *, ours: bool = False) -> None:
        """Add a comment."""
        author = BOT_ID if ours else 1
        number = len(self.comments) + 100
        self.comments.append({"id": number, "user": {"id": author}, "author": {"id": author}, "body": body})

    def request(self) -> dict[str, Any]:
        """Return the request as both forges tell of it."""
        name = "o/r" if self.within else "fork/r"
        github = {
            "number": 7,
            "merged_at": "2026-01-01T00:00:00Z" if self.merged else None,
            "merge_commit_sha": self.merged,
            "base": {"ref": "main"},
            "head": {"repo": {"full_name": name}, "sha": self.proposed},
        }
        return github | {
            "iid": 7,
            "state": "merged" if self.merged else "opened",
            "target_branch": "main",
            "sha": self.proposed,
            "squash_commit_sha": None,
            "source_project_id": 5 if self.within else 6,
        }

    def answer(self, method: str, target: str, fields: dict[str, str]) -> Any:
        """Return what the API says, or None where there is no such place."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        first = (int(query.get("page", ["1"])[0]) - 1) * int(query.get("per_page", ["30"])[0])
        listed = slice(first, first + int(query.get("per_page", ["30"])[0]))
        if path == "/graphql" and method == "POST":
            return {"data": {"viewer": {"databaseId": BOT_ID}}}
        if path == "/user":
            return {"id": BOT_ID}
        if re.fullmatch(r"/repos/o/r/commits/\w{40}/pulls|/projects/5/repository/commits/\w{40}/merge_requests", path):
            return [self.request()][listed]
        if path in ("/repos/o/r/issues/7/comments", "/projects/5/merge_requests/7/notes"):
            if method == "GET":
                return self.comments[listed]
            self.say(fields["body"], ours=True)
            return self.comments[-1]
        found = re.fullmatch(r"/repos/o/r/issues/comments/(\d+)|/projects/5/merge_requests/7/notes/(\d+)", path)
        if found and method == ("PATCH" if found[1] else "PUT"):
            one = next(one for one in self.comments if one["id"] == int(found[1] or found[2]))
            one["body"] = fields["body"]
            return one
        return None


class _Handler(BaseHTTPRequestHandler):
    forge: ForgeApi

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.forge.requests.append(f"{self.command} {urlsplit(self.path).path}")
        if self.path.startswith("/git/"):
            self._git(body)
            return
        tokens = (self.headers.get("Authorization"), self.headers.get("PRIVATE-TOKEN"))
        if tokens not in ((f"Bearer {GITHUB_TOKEN}", None), (None, COMMENT_TOKEN)):
            self._send(401, b'{"message": "Bad credentials"}')
            return
        answer = self.forge.answer(self.command, self.path, json.loads(body or b"{}"))
        self._send(404 if answer is None else 200, json.dumps(answer).encode())

    do_GET = do_POST = do_PATCH = do_PUT = _serve

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _git(self, body: bytes) -> None:
        """Let git's own HTTP backend answer; writing needs the push token."""
        path, _, query = self.path.removeprefix("/git").partition("?")
        given = base64.b64encode(f"token:{PUSH_TOKEN}".encode()).decode()
        if "git-receive-pack" in self.path and self.headers.get("Authorization") != f"Basic {given}":
            self._send(401, b"", WWW_Authenticate='Basic realm="forge"')
            return
        environment = os.environ | {
            "GIT_PROJECT_ROOT": str(self.forge.repository.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "token",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200 OK").split()[0])
        self._send(status, content, **{name.replace("-", "_"): value for name, value in headers.items()})
