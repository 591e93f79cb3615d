"""Real object stores on loopback: SeaweedFS from PyPI, versitygw from the Go module proxy, Azurite from npm."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.ports import free_ports

KEY, SECRET, BUCKET = "tests", "a-secret-of-the-tests", "states"
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own account, the same everywhere."""
S3_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class ObjectServer:
    """A server with a bucket in it; `environment` holds its credentials."""

    endpoint: str
    environment: Mapping[str, str]
    scheme: str = "s3"

    def url(self, key: str) -> str:
        account = f"&account={AZURITE_ACCOUNT}" if self.scheme == "az" else ""
        return f"{self.scheme}://{BUCKET}/{key}?endpoint={self.endpoint}{account}"


def tool(name: str) -> str | None:
    """Return the path of a program that `make .venv/tools` installed, or None."""
    folders = [str(Path(sys.prefix) / "bin"), str(Path(sys.prefix) / "npm/node_modules/.bin"), os.environ.get("PATH", "")]
    return shutil.which(name, path=os.pathsep.join(folders))


@contextlib.contextmanager
def _running(words: Sequence[str], port: int, folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run a server until the block ends, and wait for it to listen."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not _answers(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, f"{words[0]} does not answer"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(10)


def _request(port: int, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Return the status and the body of an answer; raises `OSError`."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def _answers(port: int) -> bool:
    try:
        _request(port, "GET", "/", {})
    except OSError:
        return False
    return True


@contextlib.contextmanager
def seaweedfs(folder: Path) -> Iterator[ObjectServer]:
    """Run SeaweedFS, all its parts in one process."""
    program = tool("weed")
    if program is None:
        pytest.skip("SeaweedFS is not installed: make .venv/tools")
    (folder / "data").mkdir()
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(parts))
    words = [program, "server", f"-dir={folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-volume.max=5"]
    words += [f"-s3.config={folder}/s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64"]
    words += [f"-{part}.port={port}" for part, port in zip(parts, ports, strict=False)]
    words += [f"-{part}.port.grpc={port}" for part, port in zip(parts, ports[len(parts) :], strict=True)]
    with _running(words, ports[3], folder, {}):
        _make_bucket(ports[3])
        yield ObjectServer(f"http://127.0.0.1:{ports[3]}", S3_ENVIRONMENT)


@contextlib.contextmanager
def versitygw(folder: Path) -> Iterator[ObjectServer]:
    """Run versitygw over a folder."""
    program = tool("versitygw")
    if program is None:
        pytest.skip("versitygw is not installed: make .venv/stores")
    (folder / "data").mkdir()
    port = free_ports(1)[0]
    words = [program, "--port", f"127.0.0.1:{port}", "--region", "us-east-1", "posix", str(folder / "data")]
    with _running(words, port, folder, {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}):
        _make_bucket(port)
        yield ObjectServer(f"http://127.0.0.1:{port}", S3_ENVIRONMENT)


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[ObjectServer]:
    """Run Azurite's blob service."""
    program = tool("azurite-blob")
    if program is None:
        pytest.skip("Azurite is not installed: make .venv/stores")
    port = free_ports(1)[0]
    words = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--skipApiVersionCheck"]
    with _running([*words, "--silent"], port, folder, {}):
        _make_container(port)
        environment = {"AZURE_STORAGE_ACCOUNT_KEY": AZURITE_KEY}
        yield ObjectServer(f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}", environment, "az")


def _make_bucket(port: int) -> None:
    """PUT a bucket, signed: the store's library makes none."""
    host, moment = f"127.0.0.1:{port}", datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    empty = hashlib.sha256(b"").hexdigest()
    signed = "host;x-amz-content-sha256;x-amz-date"
    lines = f"host:{host}\nx-amz-content-sha256:{empty}\nx-amz-date:{moment}\n"
    request = f"PUT\n/{BUCKET}\n\n{lines}\n{signed}\n{empty}"
    scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers = {
        "x-amz-date": moment,
        "x-amz-content-sha256": empty,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={signed}, Signature={signature}",
    }
    deadline = time.monotonic() + 30
    while True:
        status, body = _request(port, "PUT", f"/{BUCKET}", headers)
        if status == 200:
            return
        assert time.monotonic() < deadline, body
        time.sleep(0.2)


def _make_container(port: int) -> None:
    """PUT a container of Azurite, signed with its shared key."""
    moment = datetime.datetime.now(datetime.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    path = f"/{AZURITE_ACCOUNT}/{BUCKET}"
    headers = f"x-ms-date:{moment}\nx-ms-version:2021-08-06\n"
    text = f"PUT{chr(10) * 12}{headers}/{AZURITE_ACCOUNT}{path}\nrestype:container"
    signature = base64.b64encode(hmac.new(base64.b64decode(AZURITE_KEY), text.encode(), hashlib.sha256).digest()).decode()
    words = {
        "x-ms-date": moment,
        "x-ms-version": "2021-08-06",
        "Authorization": f"SharedKey {AZURITE_ACCOUNT}:{signature}",
        "Content-Length": "0",
    }
    status, body = _request(port, "PUT", f"{path}?restype=container", words)
    assert status == 201, body
