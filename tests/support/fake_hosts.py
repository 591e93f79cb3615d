"""Stand-ins for what a how-to page hands the tool to: they read what they are given as the real ones do, and run it.

`crontab` and `systemctl` run a line or a unit, `docker` carries out a Dockerfile, and `kubectl` runs the pod of a CronJob, as
its user, in a root file system of its own that is read-only. Each is a program of that name in the folder `bin`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

PROGRAMS = ("crontab", "docker", "journalctl", "kubectl", "sudo", "systemctl")
PACKAGES = sysconfig.get_paths()["purelib"]
OFFLINE = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_IGNORE_INSTALLED": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_NO_DEPS": "1",
    "PIP_NO_INDEX": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PYTHONPATH": PACKAGES,
}
"""Lets pip install this project alone; what it needs comes from the environment of the tests."""


def install(folder: Path) -> None:
    """Put the programs into `folder`."""
    folder.mkdir(parents=True)
    for name in PROGRAMS:
        text = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        (folder / name).write_text(
            f"{text}from support import fake_hosts\nfake_hosts.main({name!r}, sys.argv[1:])\n", encoding="utf-8"
        )
        (folder / name).chmod(0o755)


def main(name: str, words: list[str]) -> None:
    """Run the stand-in `name`."""
    machine = Path(os.environ["MACHINE"])
    match name:
        case "sudo":
            os.execvp(words[0], words)
        case "crontab":
            crontab(machine, words)
        case "systemctl":
            systemctl(machine, words)
        case "journalctl":
            sys.stdout.write((machine / "journal").read_text(encoding="utf-8"))
        case "docker":
            docker(machine, words)
        case "kubectl":
            kubectl(machine, words)


def crontab(machine: Path, words: list[str]) -> None:
    """Show the table, or take a new one."""
    table = machine / "crontab"
    if words == ["-"]:
        table.write_text(sys.stdin.read(), encoding="utf-8")
    elif words == ["-l"] and table.exists():
        sys.stdout.write(table.read_text(encoding="utf-8"))
    else:
        sys.exit("no crontab")


def systemctl(machine: Path, words: list[str]) -> None:
    """Start a service: its command, with its credentials and its state folder, and nothing of this environment."""
    if words == ["daemon-reload"]:
        return
    unit = machine / "etc/systemd/system" / words[-1]
    text = unit.read_text(encoding="utf-8")
    if words[:-1] == ["enable", "--now"]:
        assert "[Install]" in text
        assert unit.with_suffix(".service").exists()
        return
    assert words[:-1] == ["start"]
    settings = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    credentials, state = machine / "credentials", machine / "var/lib" / settings["StateDirectory"]
    state.mkdir(parents=True, exist_ok=True)
    credentials.mkdir(exist_ok=True)
    name, _, source = settings["LoadCredential"].partition(":")
    shutil.copy(f"{machine}{source}", credentials / name)
    variables = {"CREDENTIALS_DIRECTORY": str(credentials), "STATE_DIRECTORY": str(state)}
    command = re.sub(r"\$\{(\w+)\}", lambda found: variables[found[1]], settings["ExecStart"])
    command = re.sub(r"(^| )/(opt|etc)/", rf"\1{machine}/\2/", command)
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "SENDKIT_API_URL")}
    with (machine / "journal").open("a", encoding="utf-8") as journal:
        done = subprocess.run(shlex.split(command), env=variables | kept, cwd="/", stdout=journal, stderr=journal, check=False)
    sys.exit(done.returncode)


def docker(machine: Path, words: list[str]) -> None:
    """Build an image from the Dockerfile in this folder, or push one."""
    images = machine / "images"
    if words[0] == "push":
        (images / _file(words[1]) / "pushed").touch()
        return
    assert words[:2] == ["build", "--tag"]
    image = images / _file(words[2])
    for name in ("opt", "state"):
        (image / name).mkdir(parents=True)
    settings: dict[str, Any] = {}
    text = Path("Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    for instruction, rest in re.findall(r"^([A-Z]+) (.+)$", text, re.MULTILINE):
        if instruction == "RUN":
            places = {"/opt": (image / "opt", "rw"), "/state": (image / "state", "rw"), "/source": (Path.cwd(), "rw")}
            done = contained(machine, ["sh", "-ec", rest.replace("mkdir -m 0700 /state", "chmod 0700 /state")], places, OFFLINE)
            if done.returncode:
                sys.exit(done.returncode)
        settings[instruction] = rest
    (image / "settings").write_text(json.dumps(settings), encoding="utf-8")


def contained(
    machine: Path,
    command: Sequence[str],
    places: Mapping[str, tuple[Path, str]],
    variables: Mapping[str, str],
    user: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a root of its own: this machine's programs, the interpreter, and `places`.

    With `user` it runs as that one, without any right, and only places marked `rw` take a write.
    """
    root = machine / "root"
    root.mkdir(exist_ok=True)
    script = [f"mount -t tmpfs -o mode=0755 tmpfs {root}"]
    system = {f"/{name}": (Path(f"/{name}"), "ro") for name in ("usr", "bin", "sbin", "lib", "lib64", "etc", "dev")}
    python = {path: (Path(path), "ro") for path in (sys.base_prefix, PACKAGES)}
    for target, (source, mode) in {**system, **python, **places}.items():
        if source.is_symlink() and target in system:
            script.append(f"ln -s {source.readlink()} {root}{target}")
        elif source.exists() and not (target == sys.base_prefix and target.startswith("/usr")):
            script += [f"mkdir -p {root}{target}", f"mount --bind {source} {root}{target}"]
            script += [f"mount -o remount,bind,ro {root}{target}"] if mode == "ro" else []
    if user is None:
        script.append(f"mkdir -p {root}/tmp && chmod 1777 {root}/tmp")
        rights: list[str] = []
    else:
        script.append(f"mount -o remount,ro {root}")
        rights = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
    path = f"/opt/sendkit-sync/bin:{sys.base_prefix}/bin:/usr/bin:/bin"
    given = [f"{name}={value}" for name, value in {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **variables}.items()]
    script.append(shlex.join(["exec", "chroot", str(root), *rights, "env", "-i", *given, *command]))
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join(script)]
    return subprocess.run(words, stdin=subprocess.DEVNULL, check=False)


def kubectl(machine: Path, words: list[str]) -> None:
    """Keep objects, and run the pod of a CronJob."""
    cluster = machine / "cluster"
    cluster.mkdir(exist_ok=True)
    match words:
        case ["create", "job", source, name]:
            _run_pod(machine, source.removeprefix("--from=cronjob/"), name)
        case ["create", *_]:
            _create(cluster, words)
        case ["apply", "-f", file]:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
            for one in yaml.safe_load_all(text):
                _keep(cluster, one)
        case ["wait", "--for=condition=complete", *_, job]:
            sys.exit(int((cluster / f"{_file(job)}.code").read_text(encoding="utf-8")))
        case ["logs", job]:
            sys.stdout.write((cluster / f"{_file(job)}.log").read_text(encoding="utf-8"))
        case _:
            sys.exit(f"unknown: {words}")


def _create(cluster: Path, words: list[str]) -> None:
    """Make a Secret or a ConfigMap from files."""
    kind = "Secret" if words[1] == "secret" else "ConfigMap"
    name = next(word for word in words[2:] if word != "generic")
    files = [word.removeprefix("--from-file=") for word in words if word.startswith("--from-file=")]
    data = {file: Path(file).read_bytes() for file in files}
    shown = {file: base64.b64encode(raw).decode() if kind == "Secret" else raw.decode() for file, raw in data.items()}
    one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": shown}
    if "--dry-run=client" in words:
        yaml.safe_dump(one, sys.stdout)
    elif (cluster / f"{kind}-{name}").exists():
        sys.exit("already exists")
    else:
        _keep(cluster, one)


def _keep(cluster: Path, one: Mapping[str, Any]) -> None:
    (cluster / f"{one['kind']}-{one['metadata']['name']}").write_text(json.dumps(one), encoding="utf-8")


def _get(cluster: Path, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cluster / f"{kind}-{name}").read_text(encoding="utf-8"))
    return found


def _run_pod(machine: Path, cronjob: str, name: str) -> None:
    """Run the one container of a CronJob's pod, and keep its exit code and its log."""
    cluster = machine / "cluster"
    pod = _get(cluster, "CronJob", cronjob)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    image = machine / "images" / _file(container["image"])
    assert (image / "pushed").exists(), container["image"]
    settings = json.loads((image / "settings").read_text(encoding="utf-8"))
    volumes = {volume["name"]: _volume(cluster, volume, pod["securityContext"]["fsGroup"]) for volume in pod["volumes"]}
    places = {"/opt": (image / "opt", "ro")} | {one["mountPath"]: volumes[one["name"]] for one in container["volumeMounts"]}
    variables = {"PYTHONPATH": PACKAGES, "SENDKIT_API_URL": os.environ["SENDKIT_API_URL"]}
    for one in container["env"]:
        reference = one["valueFrom"]["secretKeyRef"]
        data = _get(cluster, "Secret", reference["name"])["data"]
        variables[one["name"]] = base64.b64decode(data[reference["key"]]).decode()
    command = [*json.loads(settings["ENTRYPOINT"]), *container["args"]]
    with (cluster / f"{_file(f'job/{name}')}.log").open("wb") as log:
        out = os.dup(1), os.dup(2)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        done = contained(machine, command, places, variables, pod["securityContext"]["runAsUser"])
        os.dup2(out[0], 1)
        os.dup2(out[1], 2)
    (cluster / f"{_file(f'job/{name}')}.code").write_text(str(done.returncode), encoding="utf-8")


def _volume(cluster: Path, volume: Mapping[str, Any], group: int) -> tuple[Path, str]:
    """Return the folder of a volume, and whether it takes a write."""
    if "configMap" in volume:
        folder = cluster / "volumes" / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in _get(cluster, "ConfigMap", volume["configMap"]["name"])["data"].items():
            (folder / file).write_text(text, encoding="utf-8")
        return folder, "ro"
    claim = volume["persistentVolumeClaim"]["claimName"]
    assert _get(cluster, "PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteOnce"]
    folder = cluster / "volumes" / claim
    if not folder.exists():
        folder.mkdir(parents=True)
        os.chown(folder, 0, group)
        folder.chmod(0o2775)
    return folder, "rw"


def _file(name: str) -> str:
    return re.sub(r"\W", "_", name)
