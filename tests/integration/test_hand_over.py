"""docs/howto/hand-over-secrets.md, recipe by recipe: what the receiver gets, what others can see, and what a failure leaves."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values

from sendkit_sync.simulator import Simulator
from support import secret_hosts, secret_servers
from support.handing_over import PAGE, SECTIONS, Operator, Values, yaml_block
from support.receiver_runtimes import VARIABLE, found, free_port
from support.secret_hosts import Kept
from support.workspace import Workspace

pytestmark = pytest.mark.timeout(180)
SOPS_RULES = "creation_rules:\n  - path_regex: \\.enc\\.json$\n    age: {recipient}\n"


@dataclass(frozen=True)
class Recipe:
    """One way to hand over: where the receiver gets the secret from, and which blocks to run, also after a change of it."""

    heading: str
    given: Callable[[Operator], Values]
    program: str | None = None
    first: tuple[int, ...] = (0,)
    again: tuple[int, ...] = (0,)
    named: str = ""

    @property
    def name(self) -> str:
        return self.named or self.heading

    def blocks(self, numbers: tuple[int, ...]) -> list[str]:
        return [SECTIONS[self.heading][number] for number in numbers]


def kept_value(place: str) -> Callable[[Operator], Values]:
    return lambda operator: {VARIABLE: operator.kept[place]}


def kept_object(place: str) -> Callable[[Operator], Values]:
    def given(operator: Operator) -> Values:
        data = operator.kept[place]
        return dict(json.loads(data) if isinstance(data, str) else data)

    return given


def in_cluster(operator: Operator) -> Values:
    manifest = operator.kept["kubectl/crm/secret/crm-sendkit"]
    assert manifest["metadata"]["labels"] == {"app.kubernetes.io/name": "crm"}
    assert "annotations" not in manifest["metadata"]
    assert operator.kept["kubectl/crm/deployment/crm"] == "restarted"
    return {name: base64.b64decode(value).decode() for name, value in manifest["data"].items()}


def in_service(operator: Operator) -> Values:
    mounted = operator.kept["docker/service/crm"]
    assert [place for place in operator.kept.places() if place.startswith("docker/secret/")] == [*mounted.values()]
    return {VARIABLE: operator.kept[mounted["sendkit_secret_crm_sync"]]}


def in_sops(operator: Operator) -> Values:
    assert operator.secret not in (operator.home / "sendkit.enc.json").read_text(encoding="utf-8")
    seen = operator.machine / "seen"
    (block,) = SECTIONS["SOPS files"][1:]
    done = operator.follow(block.replace("python3 receiver.py", f'printf %s "$SENDKIT_SECRET_CRM_SYNC" > {seen}'))
    assert done.returncode == 0, done.stderr
    return {VARIABLE: seen.read_text(encoding="utf-8")}


RECIPES = (
    Recipe(".env files", lambda operator: dotenv_values(operator.home / ".env.sendkit"), None, (0,), (0,), "own file"),
    Recipe(".env files", lambda operator: dotenv_values(operator.home / ".env"), None, (1,), (1,), "line of .env"),
    Recipe("Kubernetes", in_cluster, "kubectl"),
    Recipe("GitHub Actions", kept_value(f"gh/example/crm/{VARIABLE}"), "gh"),
    Recipe("Fly.io", kept_value(f"fly/crm/{VARIABLE}"), "fly"),
    Recipe("Cloudflare Workers", kept_value(f"wrangler/crm/{VARIABLE}"), "wrangler"),
    Recipe("Docker Compose", kept_value("compose/crm/run/secrets/sendkit_secret_crm_sync"), "docker"),
    Recipe("Docker Swarm", in_service, "docker", (0,), (1,)),
    Recipe("HashiCorp Vault and OpenBao", kept_object("vault/secret/crm/sendkit"), "vault", (0,), (0,), "Vault"),
    Recipe("HashiCorp Vault and OpenBao", kept_object("bao/secret/crm/sendkit"), "bao", (1,), (1,), "OpenBao"),
    Recipe("AWS Secrets Manager", kept_object("aws/crm/sendkit"), "aws", (0, 1), (1,)),
    Recipe(
        "Google Secret Manager",
        lambda operator: {VARIABLE: operator.kept["gcloud/sendkit-secret-crm-sync"][-1]},
        "gcloud",
        (0, 1),
        (1,),
    ),
    Recipe("Azure Key Vault", kept_value("az/crm/sendkit-secret-crm-sync"), "az"),
    Recipe("SOPS files", in_sops, "sops", (0,), (0,)),
)
REAL = ("kubectl", "wrangler", "aws", "sops")
"""The programs that can be sent to loopback, and so are tried themselves where they are installed."""

CASES = [
    *(pytest.param(recipe, False, id=recipe.name) for recipe in RECIPES),
    *(pytest.param(recipe, True, id=f"{recipe.name}, real {recipe.program}") for recipe in RECIPES if recipe.program in REAL),
]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, int]]:
    """Return a workspace with one webhook, and the port of loopback that it delivers to."""
    port = free_port()
    with Simulator() as simulator:
        workspace = Workspace(tmp_path_factory.mktemp("applied"), simulator)
        url = f"http://127.0.0.1:{port}/webhooks/sendkit"
        workspace.write(f"version: 1\nwebhooks:\n  - {{name: CRM Sync, url: '{url}', events: [email.replied]}}\n")
        assert workspace.apply().returncode == 0
        yield workspace, port


@pytest.fixture
def operator(tmp_path: Path, applied: tuple[Workspace, int], request: pytest.FixtureRequest) -> Iterator[Operator]:
    """Return somebody who hands over; the parameters of the test say which program is the real one."""
    recipe, is_real = request.node.callspec.params["recipe"], request.node.callspec.params["is_real"]
    path = found(recipe.program) if is_real else None
    if is_real and path is None:
        pytest.skip(f"{recipe.program} is not installed")
    workspace, port = applied
    home, machine = tmp_path / "home", tmp_path / "machine"
    home.mkdir()
    secret_hosts.install(machine / "bin", {recipe.program: path} if path else {})
    shutil.copy(workspace.folder / "webhooks.yaml", home)
    (home / "compose.yaml").write_text(yaml_block("# compose.yaml\n"), encoding="utf-8")
    identity = pytest.importorskip("pyrage").x25519.Identity.generate()
    (home / ".sops.yaml").write_text(SOPS_RULES.format(recipient=identity.to_public()), encoding="utf-8")
    state = {"SENDKIT_SYNC_STATE": str(workspace.folder / "sendkit.state.json"), "SOPS_AGE_KEY": str(identity)}
    with secret_servers.serving(machine) as variables:
        yield Operator(workspace, home, machine, port, state | variables)


@pytest.mark.parametrize(("recipe", "is_real"), CASES)
def test_the_receiver_gets_the_secret_and_nobody_else_sees_it(operator: Operator, recipe: Recipe, is_real: bool):
    operator.hand_over(*recipe.blocks(recipe.first))
    assert recipe.given(operator) == {VARIABLE: operator.secret}
    operator.rotate()
    operator.hand_over(*recipe.blocks(recipe.again))
    values = recipe.given(operator)
    assert values == {VARIABLE: operator.secret}
    operator.check_files_are_private()
    operator.check_a_receiver_verifies(values)


@pytest.mark.parametrize(("recipe", "is_real"), CASES)
def test_an_export_that_fails_replaces_nothing(operator: Operator, recipe: Recipe, is_real: bool):
    operator.hand_over(*recipe.blocks(recipe.first))
    operator.variables["SENDKIT_SYNC_STATE"] = str(operator.home / "nothing-here.json")
    block = "\n".join(recipe.blocks(recipe.again))
    operator.follow(block, "+e")
    assert recipe.given(operator) == {VARIABLE: operator.secret}
    if not is_real:
        assert operator.follow(block).returncode != 0


LOADING = r"^\| (.+?) \| `(.+?)`.* \|$"
SEEN = f'printf %s "${VARIABLE}"'


@pytest.mark.parametrize("program", ["Node.js", "shell"])
def test_a_file_of_its_own_is_loaded_as_the_table_says(program: str, tmp_path: Path):
    if program == "Node.js" and found("node") is None:
        pytest.skip("node is not installed")
    (tmp_path / ".env").write_text("OURS=1\n", encoding="utf-8")
    (tmp_path / ".env.sendkit").write_text(f"{VARIABLE}=handed-over\n", encoding="utf-8")
    command = dict(re.findall(LOADING, PAGE, re.MULTILINE))[program]
    shown = "console.log(process.env.SENDKIT_SECRET_CRM_SYNC)"
    (tmp_path / "receiver.mjs").write_text(shown, encoding="utf-8")
    script = command if program == "Node.js" else f"{command}\nbash -c '{SEEN}'"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "handed-over"


class TestTheCheck:
    """That the check for a secret in an argument would notice one."""

    @pytest.mark.parametrize("command", ["/bin/echo", "gh secret set X --body", "env X=1 true"])
    @pytest.mark.parametrize(("recipe", "is_real"), [(RECIPES[3], False)], ids=["GitHub Actions"])
    def test_a_secret_in_an_argument_is_noticed(self, operator: Operator, command: str, recipe: Recipe, is_real: bool):
        with pytest.raises(AssertionError, match="others can see the secret"):
            operator.follow(f'{command} "$(sendkit-sync secret get "CRM Sync")" > seen')


def test_the_operator_of_external_secrets_makes_the_same_secret_of_what_vault_holds():
    """The manifest names what the recipe for Vault writes, and makes what the one for Kubernetes does."""
    manifest = yaml.safe_load(yaml_block("kind: ExternalSecret"))
    (source,) = manifest["spec"]["dataFrom"]
    assert f"-mount=secret {source['extract']['key']} -" in SECTIONS["HashiCorp Vault and OpenBao"][0]
    assert f"--secret-id {source['extract']['key']} " in SECTIONS["AWS Secrets Manager"][1]
    assert f"--secret-name {manifest['spec']['target']['name']} " in SECTIONS["Kubernetes"][0]
    assert f"--namespace {manifest['metadata']['namespace']} " in SECTIONS["Kubernetes"][0]
    assert re.fullmatch(r"[-._a-zA-Z0-9]+", VARIABLE), "the keys of the object become those of the Secret"


def test_wrangler_takes_piped_dotenv_lines_for_one(tmp_path: Path):
    """Why the recipe for Workers pipes JSON."""
    path = found("wrangler")
    if path is None:
        pytest.skip("wrangler is not installed")
    machine = tmp_path / "machine"
    machine.mkdir()
    with secret_servers.serving(machine) as variables:
        done = subprocess.run(
            [path, "secret", "bulk", "--name", "crm"],
            cwd=tmp_path,
            env=os.environ | variables | {"HOME": str(tmp_path)},
            input="A=1\nB=2\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0
    assert [(place, Kept(machine)[place]) for place in Kept(machine).places()] == [("wrangler/crm/A", "1B=2")]


def test_every_recipe_is_followed():
    followed = {recipe.heading for recipe in RECIPES} | {"External Secrets"}
    assert set(SECTIONS) == followed
    for heading, blocks in SECTIONS.items():
        run = {
            block
            for recipe in RECIPES
            if recipe.heading == heading
            for part in (recipe.first, recipe.again)
            for block in recipe.blocks(part)
        }
        assert set(blocks) - run <= {SECTIONS["SOPS files"][1]}, heading
