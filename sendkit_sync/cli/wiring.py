"""The one module that names the concrete classes: reads the environment and puts the parts together."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.address import checked_address
from ..config import Config, load_config
from ..core.clock import SystemClock, SystemRng
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, InvalidError, KeyRefusedError, NoEndpointError, RefusedError
from ..core.model import PLATFORM_KEY_PREFIX, LiveWebhook, Secret, State
from ..core.ports import SecretCipher
from ..core.redaction import REDACTOR
from ..planning.plan import LiveSide, Plan
from ..planning.planner import make_plan
from ..planning.scope import PlanScope

if TYPE_CHECKING:
    from ..api.client import Client

DEFAULT_API_URL = "https://api.sendkit.ai"
DEFAULT_CONFIG = "webhooks.yaml"


@dataclass(frozen=True, slots=True)
class Context:
    """What the flags before the command say."""

    api_url: str
    api_key_file: str | None
    colour: bool
    verbose: int
    log_format: str


def read_config(paths: tuple[str, ...], state_path: str | None, *, entries: bool = True) -> Config:
    """Return what the config files ask for, the webhooks among it with `entries` only; raises `ConfigError`."""
    config = load_config(list(paths) or [DEFAULT_CONFIG], os.environ, state_given=state_path is not None, entries=entries)
    for webhook in config.webhooks:
        if webhook.secret is not None:
            REDACTOR.add(webhook.secret)
    return config


def read_key(context: Context) -> Secret:
    """Return the API key from the file or the environment; raises `KeyRefusedError` where there is none."""
    if context.api_key_file is not None:
        try:
            text = Path(context.api_key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KeyRefusedError(
                ErrorCode.API_KEY_UNREADABLE,
                "the API key file cannot be read",
                where=context.api_key_file,
                hint="Name a text file that holds the key alone.",
            ) from error
    else:
        text = os.environ.get("SENDKIT_API_KEY", "")
    if not text:
        raise KeyRefusedError(
            ErrorCode.API_KEY_MISSING, "no API key", hint="Set SENDKIT_API_KEY, or name a file with --api-key-file."
        )
    key = Secret(text)
    REDACTOR.add(key)
    return key


def workspace_of(config: Config, state: State | None) -> str | None:
    """Return the workspace that config, environment and state agree on; raises `InvalidError` where they do not."""
    named = {
        "the config": config.workspace,
        "SENDKIT_WORKSPACE_ID": os.environ.get("SENDKIT_WORKSPACE_ID") or None,
        "the state": state.workspace_id if state and not state.empty else None,
    }
    known = {source: value for source, value in named.items() if value}
    if len(set(known.values())) > 1:
        raise InvalidError(
            ErrorCode.WORKSPACE_CONFLICT,
            f"{' and '.join(known)} name different workspaces",
            hint="Use one state for each workspace.",
        )
    return next(iter(known.values()), None)


def check_api(state: State | None, context: Context, path: str) -> None:
    """Raise `UsageError` for an address that no key may be sent to, `InvalidError` where `state` has another one."""
    checked_address(context.api_url)
    if state is not None and not state.empty and state.api != context.api_url:
        raise InvalidError(
            ErrorCode.API_MISMATCH,
            f"the state was recorded with {printable(state.api)}, this run is for {printable(context.api_url)}",
            where=path,
            hint="Use one state for each address, or mend --api-url.",
        )


def cipher_for(config: Config, context: Context) -> SecretCipher:
    """Return the vault that the config asks for; raises `MissingExtraError` where its package is not installed."""
    from ..core.redaction import RedactingCipher

    if not config.recipients:
        from ..secrets.clear import ClearCipher

        return RedactingCipher(ClearCipher(), REDACTOR)
    from ..secrets.age import AgeCipher

    return RedactingCipher(AgeCipher(config.recipients, context.api_url, SystemRng(), os.environ), REDACTOR)


def refuse_clear_writes(config: Config, state: State | None, path: str) -> None:
    """Raise `InvalidError` where the state is sealed and the config would have new secrets written in clear."""
    if config.recipients or state is None:
        return
    encrypted = any(secret.encrypted is not None for secret in state.secrets())
    if encrypted:
        raise InvalidError(
            ErrorCode.NO_ENCRYPTION,
            "the state is sealed, and the config has no `encryption`",
            where=path,
            hint="Put `encryption` back: nothing is written in clear beside sealed secrets.",
        )


@dataclass(frozen=True, slots=True)
class Calls:
    """How calls are made: the whole of one, and how long to try again what surely did not happen; in seconds.

    `on_call` hears of each with its method and its outcome: the status, or what went wrong.
    """

    timeout_s: float = 30.0
    retry_for_s: float = 120.0
    on_call: Callable[[str, str], None] = lambda method, outcome: None


@contextmanager
def client(
    context: Context,
    workspace_id: str | None,
    calls: Calls,
    *,
    stop: threading.Event,
    on_wait: Callable[[str], None],
) -> Iterator[Client]:
    """Give a client of the API, closed on leaving."""
    from ..api.client import Client

    key = read_key(context)
    scoped = workspace_id if key.reveal().startswith(PLATFORM_KEY_PREFIX) else None
    made = Client(
        context.api_url,
        key,
        scoped,
        timeout_s=calls.timeout_s,
        retry_for_s=calls.retry_for_s,
        clock=SystemClock(),
        rng=SystemRng(),
        stop=stop,
        on_wait=on_wait,
        on_call=calls.on_call,
        clean=REDACTOR.clean,
    )
    try:
        yield made
    finally:
        made.close()


def list_of(api: Client, hint: str) -> Sequence[LiveWebhook]:
    """Return the live webhooks; raises `RefusedError` with `hint` where the server has no list."""
    try:
        return api.list()
    except NoEndpointError as error:
        raise RefusedError(
            ErrorCode.NO_LIST, f"the server has no list of webhooks (it answered {error.status})", hint=hint
        ) from error


def plan_of(
    config: Config, state: State | None, context: Context, path: str, options: PlanScope, live: LiveSide | None = None
) -> Plan:
    """Return the plan; raises `InvalidError` where config and state do not fit together."""
    check_api(state, context, path)
    for recorded in state.webhooks.values() if state else ():
        for stored in recorded.secrets():
            if stored.clear is not None:
                REDACTOR.add(stored.clear)
    _refuse_shared(config, state, path)
    return make_plan(
        config.webhooks,
        state,
        api=context.api_url,
        config_digest=config.digest(),
        workspace_id=workspace_of(config, state),
        options=options,
        live=live,
    )


def _refuse_shared(config: Config, state: State | None, path: str) -> None:
    """Raise `InvalidError` where two entries are recorded as one webhook: each run would make of it what the other is."""
    owners: dict[str, str] = {}
    recorded = state.webhooks if state is not None else {}
    for webhook in config.webhooks:
        record = recorded.get(webhook.name) or recorded.get(webhook.renamed_from or "")
        if record is not None and owners.setdefault(record.id, webhook.name) != webhook.name:
            raise InvalidError(
                ErrorCode.ID_RECORDED_TWICE,
                f'"{printable(owners[record.id])}" and "{printable(webhook.name)}" are both recorded as {printable(record.id)}',
                where=path,
                hint="Look in SendKit which one it is, and let the other go: sendkit-sync state forget NAME",
            )
