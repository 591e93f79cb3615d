"""Stand-ins for the programs that docs/howto/hand-over-secrets.md hands secrets to.

Each takes the arguments and the input that the real program documents, refuses all others, and keeps what it was given in
the folder `$MACHINE/kept`, one JSON file a place. Each call's arguments are in `$MACHINE/arguments`, so that a test can
look for a secret there.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, unquote

import yaml


def install(folder: Path, real: dict[str, str]) -> None:
    """Put the stand-ins into `folder`, and in the place of those in `real` a wrapper of that program."""
    folder.mkdir(parents=True)
    for name in STAND_INS:
        text = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        text += f"from support import secret_hosts\nsecret_hosts.main({name!r}, {real.get(name)!r}, sys.argv[1:])\n"
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)


def main(name: str, real: str | None, words: list[str]) -> None:
    """Note the arguments, and run the real program or the stand-in."""
    machine = Path(os.environ["MACHINE"])
    with (machine / "arguments").open("a", encoding="utf-8") as file:
        file.write(json.dumps([name, *words]) + "\n")
    if real is not None:
        os.execv(real, [real, *words])
    STAND_INS[name](Kept(machine), words)


class Kept:
    """What the stand-ins were given, by place, such as `vault/secret/crm/sendkit`."""

    def __init__(self, machine: Path) -> None:
        self.folder = machine / "kept"
        self.folder.mkdir(exist_ok=True)

    def __contains__(self, place: str) -> bool:
        return (self.folder / quote(place, "")).exists()

    def __getitem__(self, place: str) -> Any:
        return json.loads((self.folder / quote(place, "")).read_text(encoding="utf-8"))

    def get(self, place: str, default: Any) -> Any:
        return self[place] if place in self else default  # noqa: SIM401 - it is this very method

    def __setitem__(self, place: str, data: Any) -> None:
        (self.folder / quote(place, "")).write_text(json.dumps(data), encoding="utf-8")

    def remove(self, place: str) -> None:
        (self.folder / quote(place, "")).unlink()

    def places(self) -> list[str]:
        """Return all places, sorted."""
        return sorted(unquote(path.name) for path in self.folder.iterdir())


def parser_of(name: str, *positionals: str, flags: str = "", switches: str = "") -> argparse.ArgumentParser:
    """Return a parser of one command: positionals (`name?` is optional), flags with a value, and switches, as `--long/-s`."""
    parser = argparse.ArgumentParser(prog=name, allow_abbrev=False)
    for positional in positionals:
        parser.add_argument(positional.rstrip("?*"), nargs=positional[-1] if positional[-1] in "?*" else None)
    for flag in flags.split():
        parser.add_argument(*flag.split("/"))
    for switch in switches.split():
        parser.add_argument(*switch.split("/"), action="store_true")
    return parser


def command_of(words: list[str], *known: str) -> tuple[str, list[str]]:
    """Split the command of a program, one of `known`, from its arguments."""
    command = next((command for command in known if words[: len(command.split())] == command.split()), None)
    if command is None:
        fail(f"unknown command: {words}")
    return command, words[len(command.split()) :]


def fail(reason: str) -> NoReturn:
    sys.exit(f"Error: {reason}")


def dotenv(text: str) -> dict[str, str]:
    """Parse a dotenv text as the usual libraries do."""
    from dotenv import dotenv_values

    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items()}


def gh(kept: Kept, words: list[str]) -> None:
    _, rest = command_of(words, "secret set")
    flags = "--env-file/-f --repo/-R --env/-e --app/-a --body/-b --org/-o"
    given = parser_of("gh", "name?", flags=flags).parse_args(rest)
    if given.env_file is None:
        fail("only --env-file is known here")
    text = sys.stdin.read() if given.env_file == "-" else Path(given.env_file).read_text(encoding="utf-8")
    secrets = dotenv(text) or fail("no secrets found in file")
    for name, value in secrets.items():
        assert re.fullmatch(r"(?!GITHUB_)[A-Za-z_][A-Za-z0-9_]*", name)
        kept["/".join(["gh", given.repo, *([given.env] if given.env else []), name])] = value


def fly(kept: Kept, words: list[str]) -> None:
    """Read lines as flyctl does: no quotes but double ones around the whole value."""
    _, rest = command_of(words, "secrets import")
    given = parser_of("fly", flags="--app/-a --config/-c", switches="--stage --detach").parse_args(rest)
    lines = [line for line in sys.stdin.read().splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        fail("requires at least one SECRET=VALUE pair")
    for line in lines:
        name, found, value = line.partition("=")
        if not found:
            fail(f"Secrets must be provided as NAME=VALUE pairs ({line} is invalid)")
        kept[f"fly/{given.app}/{name.strip()}"] = re.sub(r'^"(.*)"$', r"\1", value.lstrip(" "))


def wrangler(kept: Kept, words: list[str]) -> None:
    """Read standard input as Wrangler does: its lines joined, as JSON, and only else as dotenv."""
    _, rest = command_of(words, "secret bulk")
    given = parser_of("wrangler", "file?", flags="--name --env/-e --config/-c").parse_args(rest)
    text = Path(given.file).read_text(encoding="utf-8") if given.file else "".join(sys.stdin.read().splitlines())
    try:
        secrets = json.loads(text)
    except ValueError:
        secrets = dotenv(text)
    if not secrets:
        sys.exit(0 if given.file is None else 1)  # says that there is no content, and exits with 0
    for name, value in secrets.items():
        kept[f"wrangler/{given.name}/{name}"] = value


def docker(kept: Kept, words: list[str]) -> None:
    command, rest = command_of(words, "secret create", "secret rm", "service update", "compose up")
    if command == "compose up":
        parser_of("docker", switches="--detach/-d").parse_args(rest)
        _compose_up(kept)
    elif command == "secret rm":
        place = f"docker/secret/{parser_of('docker', 'name').parse_args(rest).name}"
        if any(place in kept[service].values() for service in kept.places() if service.startswith("docker/service/")):
            fail("rpc error: code = InvalidArgument desc = secret is in use by the following service")
        kept.remove(place)
    elif command == "secret create":
        given = parser_of("docker", "name", "file", flags="--label/-l --driver/-d").parse_args(rest)
        data = sys.stdin.buffer.read() if given.file == "-" else Path(given.file).read_bytes()
        if f"docker/secret/{given.name}" in kept:
            fail("rpc error: code = AlreadyExists")
        if not data:
            fail("rpc error: code = InvalidArgument desc = secret data must be larger than 0 and less than 512000 bytes")
        kept[f"docker/secret/{given.name}"] = data.decode()
    else:
        _service_update(kept, rest)


def _service_update(kept: Kept, rest: list[str]) -> None:
    given = parser_of("docker", "service", flags="--secret-add --secret-rm", switches="--detach/-d").parse_args(rest)
    place = f"docker/service/{given.service}"
    mounted = kept.get(place, {})
    if given.secret_rm:
        mounted = {target: source for target, source in mounted.items() if source != f"docker/secret/{given.secret_rm}"}
    if given.secret_add:
        options = dict(part.split("=", 1) for part in given.secret_add.split(","))
        source = f"docker/secret/{options['source']}"
        if source not in kept:
            fail(f"secret not found: {options['source']}")
        assert options["target"] not in mounted, "mounted twice"
        mounted[options["target"]] = source
    kept[place] = mounted


def _compose_up(kept: Kept) -> None:
    """Mount the secrets of `compose.yaml` whose source is a variable of this process, and read env files."""
    project = yaml.safe_load(Path("compose.yaml").read_text(encoding="utf-8"))
    for name, service in project["services"].items():
        for secret in service.get("secrets", []):
            variable = project["secrets"][secret]["environment"]
            if variable not in os.environ:
                fail(f'environment variable "{variable}" required by secret "{secret}" is not set')
            kept[f"compose/{name}/run/secrets/{secret}"] = os.environ[variable]
        if "env_file" in service:
            kept[f"compose/{name}/environment"] = dotenv(Path(service["env_file"]).read_text(encoding="utf-8"))


def vault(kept: Kept, words: list[str], name: str = "vault") -> None:
    _, rest = command_of(words, "kv put")
    given = parser_of(name, "key", "data*", flags="-mount -cas").parse_args(rest)
    if given.data != ["-"]:
        fail("only JSON on standard input is known here")
    try:
        data = json.load(sys.stdin)
    except ValueError as error:
        fail(f'Failed to parse K=V data: invalid key/value pair "-": {error}')
    kept[f"{name}/{given.mount}/{given.key}"] = data


def bao(kept: Kept, words: list[str]) -> None:
    vault(kept, words, "bao")


def aws(kept: Kept, words: list[str]) -> None:
    command, rest = command_of(words, "secretsmanager create-secret", "secretsmanager put-secret-value")
    if command.endswith("create-secret"):
        given = parser_of("aws", flags="--name --description --secret-string").parse_args(rest)
        if f"aws/{given.name}" in kept:
            fail("An error occurred (ResourceExistsException)")
        kept[f"aws/{given.name}"] = given.secret_string
        return
    given = parser_of("aws", flags="--secret-id --secret-string").parse_args(rest)
    if f"aws/{given.secret_id}" not in kept:
        fail("An error occurred (ResourceNotFoundException)")
    text = given.secret_string
    if text.startswith("file://"):
        text = Path(text.removeprefix("file://")).read_text(encoding="utf-8")
    if not text:
        fail("Parameter validation failed: Invalid length for parameter SecretString, value: 0, valid min length: 1")
    kept[f"aws/{given.secret_id}"] = text


def gcloud(kept: Kept, words: list[str]) -> None:
    """Keep what it is given, nothing at all too, as the real one sends it."""
    command, rest = command_of(words, "secrets create", "secrets versions add")
    given = parser_of("gcloud", "secret", flags="--data-file --replication-policy --project").parse_args(rest)
    place = f"gcloud/{given.secret}"
    if (place in kept) == (command == "secrets create"):
        fail(f"{given.secret} {'already exists' if place in kept else 'is not found'}")
    assert given.replication_policy in (None, "automatic", "user-managed")
    versions = kept.get(place, [])
    if given.data_file is not None:
        versions.append(sys.stdin.read() if given.data_file == "-" else Path(given.data_file).read_text(encoding="utf-8"))
    kept[place] = versions


def az(kept: Kept, words: list[str]) -> None:
    """Keep what the file holds, and print it unless told not to, as the real one does."""
    _, rest = command_of(words, "keyvault secret set")
    flags = "--vault-name --name/-n --file/-f --value --encoding/-e --output/-o"
    given = parser_of("az", flags=flags).parse_args(rest)
    if given.file is None or given.value is not None:
        fail("incorrect usage: [Required] --value VALUE | --file PATH")
    assert given.encoding == "utf-8", "a file is taken for base64 by older versions"
    assert re.fullmatch(r"[0-9a-zA-Z-]{1,127}", given.name)
    value = Path(given.file).read_text(encoding="utf-8")
    kept[f"az/{given.vault_name}/{given.name}"] = value
    if given.output != "none":
        json.dump({"name": given.name, "value": value}, sys.stdout)


def sops(kept: Kept, words: list[str]) -> None:
    """Encrypt JSON value by value, and run a command with what is in it; only the form is that of the real one."""
    command, rest = command_of(words, "encrypt", "exec-env")
    if command == "exec-env":
        given = parser_of("sops", "file", "command").parse_args(rest)
        document = json.loads(Path(given.file).read_text(encoding="utf-8"))
        values = {name: base64.b64decode(value[4:-1]).decode() for name, value in document.items() if name != "sops"}
        sys.exit(subprocess.run(["sh", "-c", given.command], env=os.environ | values, check=False).returncode)
    given = parser_of("sops", "file?", flags="--filename-override --output --age/-a").parse_args(rest)
    if given.file is None and given.filename_override is None:
        fail("error: must specify --filename-override when reading from stdin")
    rules = yaml.safe_load(Path(".sops.yaml").read_text(encoding="utf-8"))["creation_rules"]
    assert any(re.search(rule["path_regex"], given.filename_override) for rule in rules)
    try:
        data = json.load(sys.stdin)
    except ValueError:
        fail("Error unmarshalling file: Could not unmarshal input data: EOF")
    hidden = {name: f"ENC[{base64.b64encode(value.encode()).decode()}]" for name, value in data.items()}
    Path(given.output).write_text(json.dumps(hidden | {"sops": {"age": rules}}), encoding="utf-8")


def kubectl(kept: Kept, words: list[str]) -> None:
    command, rest = command_of(words, "label", "apply", "rollout restart")
    if command == "rollout restart":
        given = parser_of("kubectl", "deployment", flags="--namespace/-n").parse_args(rest)
        kept[f"kubectl/{given.namespace}/{given.deployment}"] = "restarted"
        return
    if command == "apply":
        given = parser_of("kubectl", flags="--namespace/-n --filename/-f", switches="--server-side").parse_args(rest)
        manifest = yaml.safe_load(sys.stdin) or fail("no objects passed to apply")
        assert given.server_side
        assert given.filename == "-"
        kept[f"kubectl/{given.namespace}/{manifest['kind'].lower()}/{manifest['metadata']['name']}"] = manifest
        return
    given = parser_of("kubectl", "labels*", flags="--filename/-f --output/-o", switches="--local").parse_args(rest)
    assert given.local
    assert (given.filename, given.output) == ("-", "yaml")
    if (manifest := yaml.safe_load(sys.stdin)) is None:
        return
    manifest["metadata"].setdefault("labels", {}).update(label.split("=") for label in given.labels)
    yaml.safe_dump(manifest, sys.stdout)


STAND_INS: dict[str, Callable[[Kept, list[str]], None]] = {
    one.__name__: one for one in (aws, az, bao, docker, fly, gcloud, gh, kubectl, sops, vault, wrangler)
}
