"""`import`: adopts live webhooks."""

from __future__ import annotations

import threading

import click

from ...applying.adopt import adopt, matching
from ...config import Config
from ...core.clock import SystemClock, SystemRng
from ...core.diagnostics import printable
from ...core.errors import ErrorCode, RefusedError, UsageError
from ...core.model import LiveWebhook, WebhookRecord
from ...core.quoting import shell_name
from ...state import open_ledger, read_state
from ..completion import config_names
from ..git_guard import refuse_for_git
from ..options import config_flag, flag, lock_flag, retry_flag, state_flag, timeout_flag
from ..output.messages import say, say_warnings
from ..wiring import Calls, Context, check_api, cipher_for, client, list_of, read_config, refuse_clear_writes, workspace_of


@click.command("import")
@click.argument("name", required=False, shell_complete=config_names)
@click.argument("webhook_id", metavar="[ID]", required=False)
@flag("--matching", "all_matching", is_flag=True, help="Adopt every live webhook that has the name and URL of a config entry.")
@config_flag
@state_flag
@lock_flag
@timeout_flag
@retry_flag
@click.pass_obj
def command(
    context: Context,
    /,
    name: str | None,
    webhook_id: str | None,
    all_matching: bool,
    configs: tuple[str, ...],
    state_path: str | None,
    lock_timeout: float,
    timeout: float,
    retry_for: float,
) -> None:
    """Start managing live webhooks. Changes nothing in SendKit.

    Adopts the live webhook ID under the NAME of a config entry, or with --matching all that match one.
    """
    if all_matching is (name is not None) or (name is None) is not (webhook_id is None):
        raise UsageError(
            ErrorCode.IMPORT_ARGUMENTS,
            "say NAME and ID, or --matching",
            hint='For one: sendkit-sync import "CRM Sync" 664a1b2c3d4e5f6a7b8c9d0e',
        )
    config = read_config(configs, state_path)
    say_warnings(config)
    path = state_path or config.state_path
    state = read_state(path)
    check_api(state, context, path)
    refuse_clear_writes(config, state, path)
    refuse_for_git(config, state, path)
    calls = Calls(timeout, retry_for)
    stop = threading.Event()
    with (
        client(context, workspace_of(config, state), calls, stop=stop, on_wait=say) as api,
        open_ledger(
            path,
            api=context.api_url,
            clock=SystemClock(),
            rng=SystemRng(),
            purpose="import",
            lock_timeout_s=lock_timeout,
        ) as ledger,
    ):
        cipher = cipher_for(config, context)
        if name is None or webhook_id is None:
            listed = list_of(api, "Import them one by one: sendkit-sync import NAME ID")
            pairs = matching(config.webhooks, ledger.state, listed)
        else:
            pairs = [(name, _live(config, name, api.get(webhook_id), webhook_id))]
        for wanted, live in pairs:
            _tell(wanted, live, adopt(ledger, cipher, wanted, live))
        left = sum(webhook.name not in ledger.state.webhooks for webhook in config.webhooks)
    if name is None and left:
        say(f"{left} of {len(config.webhooks)} entries match no live webhook alone: sendkit-sync plan --refresh shows them")
    click.echo(f"{len(pairs)} webhook{'' if len(pairs) == 1 else 's'} adopted.")


def _live(config: Config, name: str, live: LiveWebhook | None, webhook_id: str) -> LiveWebhook:
    if name not in {webhook.name for webhook in config.webhooks}:
        raise RefusedError(
            ErrorCode.NOT_IN_CONFIG, f'the config has no webhook "{printable(name)}"', hint="Add it first, then import."
        )
    if live is None:
        raise RefusedError(
            ErrorCode.NOT_LIVE,
            f"there is no live webhook {printable(webhook_id)}",
            hint="Look its id up in SendKit, and whose key this is.",
        )
    return live


def _tell(name: str, live: LiveWebhook, recorded: WebhookRecord) -> None:
    click.echo(f'> adopt "{printable(name, 256)}" ({live.id})')
    if live.name != name:
        say(f'warning: its name in SendKit is "{printable(live.name, 256)}"; the next apply changes it')
    if recorded.secret is None:
        say(f"warning: the API shows no whole secret of it; supply it: sendkit-sync secret set {shell_name(name)} < FILE")
