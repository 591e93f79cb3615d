"""The APIs behind the real `aws`, `kubectl` and `wrangler`, on loopback, as far as handing over a secret goes."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from support.secret_hosts import Kept

Answer = tuple[int, Any]
KINDS = {"v1": ("secrets", "Secret"), "apps/v1": ("deployments", "Deployment")}


def discovery(path: str) -> Answer | None:
    """Answer what `kubectl` asks of an API server before it sends anything."""
    if path == "/version":
        return 200, {"major": "1", "minor": "32"}
    if path == "/api":
        return 200, {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        version = {"groupVersion": "apps/v1", "version": "v1"}
        apps = {"name": "apps", "versions": [version], "preferredVersion": version}
        return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [apps]}
    if path in ("/api/v1", "/apis/apps/v1"):
        group = path.removeprefix("/apis/").removeprefix("/api/")
        plural, kind = KINDS[group]
        resource = {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": ["get", "patch"]}
        return 200, {"kind": "APIResourceList", "groupVersion": group, "resources": [resource]}
    if path == "/openapi/v3":
        return 200, {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"}}}
    if path == "/openapi/v3/api/v1":
        secret = {"group": "", "version": "v1", "kind": "Secret"}
        patch = {"parameters": [{"name": "fieldValidation", "in": "query"}], "x-kubernetes-group-version-kind": secret}
        return 200, {"openapi": "3.0.0", "paths": {"/api/v1/namespaces/{namespace}/secrets/{name}": {"patch": patch}}}
    return None


def kubernetes(kept: Kept, method: str, path: str, body: bytes) -> Answer:
    if answer := discovery(path):
        return answer
    found = re.fullmatch(r"/apis?/(?:apps/)?v1/namespaces/([^/]+)/(secret|deployment)s/([^/]+)", path)
    if found is None:
        return 404, {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
    place = f"kubectl/{found[1]}/{found[2]}/{found[3]}"
    if found[2] == "secret":
        assert method == "PATCH", "server-side apply"
        kept[place] = yaml.safe_load(body)
        return 200, kept[place]
    if method == "PATCH":
        kept[place] = "restarted"
    spec: dict[str, Any] = {"selector": {}, "template": {"metadata": {}, "spec": {"containers": []}}}
    return 200, {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": found[3], "namespace": found[1]},
        "spec": spec,
    }


def secrets_manager(kept: Kept, action: str, body: bytes) -> Answer:
    given = json.loads(body)
    name = given.get("Name") or given["SecretId"]
    if action == "PutSecretValue" and f"aws/{name}" not in kept:
        return 400, {"__type": "ResourceNotFoundException"}
    kept[f"aws/{name}"] = given.get("SecretString")
    return 200, {"Name": name}


def cloudflare(kept: Kept, method: str, path: str, body: bytes) -> Answer:
    worker = path.split("/")[7]
    if method == "PATCH":
        (settings,) = re.findall(rb"\r\n\r\n(\{.+?\})\r\n--", body, re.DOTALL)  # the one part of a form
        for binding in json.loads(settings)["bindings"]:
            kept[f"wrangler/{worker}/{binding['name']}"] = binding["text"]
    return 200, {"success": True, "errors": [], "messages": [], "result": {"bindings": []}}


@contextmanager
def serving(machine: Path) -> Iterator[dict[str, str]]:
    """Serve all three, keeping what comes where the stand-ins keep it; yield the variables that lead the programs here."""
    kept = Kept(machine)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            if "X-Amz-Target" in self.headers:
                status, answer = secrets_manager(kept, self.headers["X-Amz-Target"].partition(".")[2], body)
            elif path.startswith("/client/v4/"):
                status, answer = cloudflare(kept, self.command, path, body)
            else:
                status, answer = kubernetes(kept, self.command, path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PATCH = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield _variables(machine, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def _variables(machine: Path, url: str) -> dict[str, str]:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": ""}}],
        "current-context": "here",
    }
    (machine / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
    return {
        "KUBECONFIG": str(machine / "kubeconfig"),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "access",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "CLOUDFLARE_API_BASE_URL": f"{url}/client/v4",
        "CLOUDFLARE_API_TOKEN": "token",
        "CLOUDFLARE_ACCOUNT_ID": "account",
        "WRANGLER_SEND_METRICS": "false",
    }
