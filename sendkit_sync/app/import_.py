"""The use case `import`: adopts live webhooks, unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..applying.adopt import adopt, matching
from ..config import Config
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, NoEndpointError, RefusedError
from ..core.model import DesiredWebhook, LiveWebhook, State, WebhookRecord
from ..core.ports import Api, Ledger, SecretCipher
from .checks import check_api, check_encryption, workspace_of
from .context import Context, Source
from .git_guard import refuse_for_git
from .wiring import bind_recipients, bind_workspace, cipher_for, client, ledger_of, load, pinned, read_key


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Which live webhooks to adopt: `webhook_id` under `name`, or without both, all that match an entry."""

    source: Source = field(default_factory=Source)
    name: str | None = None
    webhook_id: str | None = None
    lock_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Adopted:
    """A live webhook that is now recorded."""

    name: str
    live: LiveWebhook
    record: WebhookRecord
    masked: bool = False
    """Whether its secret is missing and has to be supplied."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What was adopted. `unmatched` of the `desired` config entries are still not recorded."""

    adopted: tuple[Adopted, ...]
    unmatched: int
    desired: int


def import_(context: Context, request: ImportRequest) -> ImportResult:
    """Adopt live webhooks. Raises `RefusedError` if one is ambiguous or already recorded."""
    config = load(context, request.source)
    context = pinned(context, config)
    workspace_id: str | None = None

    def check(state: State | None) -> None:
        nonlocal workspace_id
        check_api(context, state, config.state_path)
        check_encryption(config, state)
        refuse_for_git(context, config, state)
        workspace_id = workspace_of(context, config, state)
        read_key(context)

    with (
        ledger_of(context, config.state_path, "import", request.lock_timeout_s, check) as ledger,
        client(context, workspace_id) as api,
    ):
        bind_workspace(ledger, workspace_id)
        cipher = cipher_for(config, context, ledger.state)
        if request.name is None or request.webhook_id is None:
            listed = list_of(api, "Import webhooks one by one: sendkit-sync import NAME ID")
            pairs = matching(config.webhooks, ledger.state, listed)
        else:
            pairs = [(request.name, _live(config, request.name, api.get(request.webhook_id), request.webhook_id))]
        entries = {webhook.name: webhook for webhook in config.webhooks}
        adopted = tuple(_adopted(ledger, cipher, entries[name], live) for name, live in pairs)
        bind_recipients(ledger, config)
        unmatched = sum(webhook.name not in ledger.state.webhooks for webhook in config.webhooks)
    return ImportResult(adopted, unmatched, len(config.webhooks))


def _adopted(ledger: Ledger, cipher: SecretCipher, entry: DesiredWebhook, live: LiveWebhook) -> Adopted:
    record = adopt(ledger, cipher, entry.name, live, entry.lifecycle)
    return Adopted(entry.name, live, record, masked=record.secret is None and entry.policy.manage_secret)


def list_of(api: Api, hint: str) -> Sequence[LiveWebhook]:
    """Return the live webhooks. Raises `RefusedError` with `hint` if the server has no list."""
    try:
        return api.list()
    except NoEndpointError as error:
        what = f"the server cannot list webhooks (it answered {error.status})"
        advice = f"{error.hint} {hint}" if error.status == 404 else hint  # most often a wrong address
        raise RefusedError(ErrorCode.NO_LIST, what, hint=advice) from error


def _live(config: Config, name: str, live: LiveWebhook | None, webhook_id: str) -> LiveWebhook:
    if name not in {webhook.name for webhook in config.webhooks}:
        raise RefusedError(
            ErrorCode.NOT_IN_CONFIG,
            f'the config has no webhook "{printable(name)}"',
            hint="Add it to the config first, then import it.",
        )
    if live is None:
        raise RefusedError(
            ErrorCode.NOT_LIVE,
            f"there is no live webhook {printable(webhook_id)}",
            hint="Check the id in SendKit, and that the API key belongs to the same workspace.",
        )
    return live
