"""An editor knows the config: the YAML language server completes and checks it from the schema that `init` writes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from sendkit_sync.cli.main import run
from support.workspace import REPOSITORY

SERVER = REPOSITORY / ".venv" / "npm" / "node_modules" / ".bin" / "yaml-language-server"

pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="yaml-language-server is not installed")


class Editor:
    """A client of the language server, over its stdin and stdout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        self.problems: dict[str, list[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        self.process = subprocess.Popen([SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.folder)
        self.ask("initialize", {"processId": None, "rootUri": self.folder.as_uri(), "capabilities": {}})
        self.tell("initialized", {})
        settings = {"yaml": {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}}
        self.tell("workspace/didChangeConfiguration", {"settings": settings})
        return self

    def __exit__(self, *details: object) -> None:
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.process.communicate(timeout=30)

    def tell(self, method: str, params: object) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: object) -> Any:
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        while True:
            message = self.read()
            if message.get("id") == self.number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def send(self, message: object) -> None:
        assert self.process.stdin is not None
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b": ")
            length = int(value) if name == b"Content-Length" else length
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if "method" in message and "id" in message:
            asked = message["params"].get("items", []) if isinstance(message["params"], dict) else []
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": [None for _ in asked]})
        if message.get("method") == "textDocument/publishDiagnostics":
            self.problems[message["params"]["uri"]] = message["params"]["diagnostics"]
        return message

    def open(self, text: str) -> str:
        self.number += 1  # a file of its own: what is said of the one before may still come
        path = self.folder / f"webhooks{self.number}.yaml"
        path.write_text(text, encoding="utf-8")
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        return path.as_uri()

    def problems_of(self, text: str) -> list[tuple[int, str]]:
        """Open the file, and return its problems: line, counted from 0, and message."""
        uri = self.open(text)
        while uri not in self.problems:
            self.read()
        self.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        return [(one["range"]["start"]["line"], one["message"]) for one in self.problems[uri]]

    def at(self, method: str, text: str) -> Any:
        """Open the file, and ask for what is at the mark `|`."""
        before = text[: text.index("|")]
        uri = self.open(text.replace("|", ""))
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        answer = self.ask(f"textDocument/{method}", {"textDocument": {"uri": uri}, "position": position})
        self.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        return answer


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    assert run(["init", str(tmp_path)]) == 0
    with Editor(tmp_path) as editor:
        yield editor


def test_it_completes_checks_and_explains(editor: Editor):
    text = (editor.folder / "webhooks.yaml").read_text(encoding="utf-8")
    assert editor.problems_of(text) == []
    assert editor.problems_of(text.replace("events", "event")) == [
        (3, 'Missing property "events".'),
        (5, "Property event is not allowed."),
    ]
    assert [line for line, _ in editor.problems_of(text + "    timeoutMs: soon\n")] == [6]
    keys = {item["label"] for item in editor.at("completion", text + "    |\n")["items"]}
    assert {"secret", "retryAttempts", "timeoutMs", "renamedFrom"} <= keys
    events = {item["label"] for item in editor.at("completion", text.replace("[email.replied", "[|"))["items"]}
    assert {"email.replied", "lead.updated"} <= events
    hover = editor.at("hover", text + "    time|outMs: 1000\n")
    schema = json.loads((editor.folder / "webhooks.schema.json").read_text(encoding="utf-8"))
    about = schema["properties"]["webhooks"]["items"]["properties"]["timeoutMs"]["description"]
    assert about.split(".")[0] in str(hover["contents"]).replace("\\", "")
