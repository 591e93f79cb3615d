"""The only module that names the concrete classes and puts them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config, load_config
from ..core.clock import SystemClock, SystemRng
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, InvalidError, KeyRefusedError
from ..core.model import PLATFORM_KEY_PREFIX, Secret, State
from ..core.names import split_url
from ..core.ports import Clock, Ledger, Rng, SecretCipher, Store
from ..core.redaction import REDACTOR
from ..state import JournalLedger, open_ledger, open_store, read_state
from ..state.stores.holder import user_and_host
from .context import DEFAULT_CONFIG, Context, Source
from .events import Called, ConfigWarned

if TYPE_CHECKING:
    from ..api.client import Client
    from ..applying.executor import Executor
    from ..applying.settings import RunSettings
    from ..state.moving import Move

__all__ = ["read_state", "user_and_host"]


def read_config(context: Context, source: Source, *, entries: bool = True) -> Config:
    """Return the config, with its webhooks only if `entries`. Raises `ConfigError`.

    Its `state_path` is the state to use.
    """
    paths = list(source.configs) or [DEFAULT_CONFIG]
    config = load_config(paths, context.environment, state=source.state, entries=entries)
    for webhook in config.webhooks:
        if webhook.secret is not None:
            REDACTOR.add(webhook.secret)
        if webhook.lifecycle.sensitive_url:
            redact_url(webhook.settings.url)
    return config


def redact_url(url: str) -> None:
    """Redact the parts of a URL that may be a credential from now on: all but its host."""
    _, user, path = split_url(url)
    for part in (user, path):
        REDACTOR.add(Secret(part))


def pinned(context: Context, config: Config) -> Context:
    """Return the context with the API address of the config. Raises `InvalidError` if another one was given."""
    if config.api_url is None or config.api_url == context.api_url:
        return context
    if context.api_url is not None:
        raise InvalidError(
            ErrorCode.API_MISMATCH,
            f"the config pins `apiUrl` {printable(config.api_url)}, but this run uses {printable(context.api_url)}",
            hint="Unset SENDKIT_API_URL and --api-url, or change `apiUrl` in the config.",
        )
    return replace(context, api_url=config.api_url)


def load(context: Context, source: Source) -> Config:
    """Return the config and report its warnings."""
    config = read_config(context, source)
    if config.warnings:
        context.observer(ConfigWarned(config.warnings))
    return config


def state_path_of(context: Context, source: Source) -> str:
    """Return the address of the state. Reads the config only if necessary."""
    return source.state or read_config(context, source, entries=False).state_path


def read_key(context: Context) -> Secret:
    """Return the API key. Raises `KeyRefusedError` if there is none."""
    if context.api_key is not None:
        text = context.api_key.reveal()
    elif context.api_key_file is not None:
        try:
            text = _key_text(context.api_key_file)
        except (OSError, ValueError) as error:
            raise KeyRefusedError(
                ErrorCode.API_KEY_UNREADABLE,
                "the API key file cannot be read",
                where=context.api_key_file,
                hint="Name a text file that contains only the key.",
            ) from error
    else:
        text = context.environment.get("SENDKIT_API_KEY", "")
    if not text:
        raise KeyRefusedError(
            ErrorCode.API_KEY_MISSING, "there is no API key", hint="Set SENDKIT_API_KEY, or name a file with --api-key-file."
        )
    key = Secret(text)
    REDACTOR.add(key)
    return key


MAX_KEY_BYTES = 64 * 1024


def _key_text(path: str) -> str:
    """Return the key in a file or a pipe. Raises `OSError`, and `ValueError` for anything that is too long or no text."""
    with Path(path).open("rb") as file:
        raw = file.read(MAX_KEY_BYTES + 1)
    if len(raw) > MAX_KEY_BYTES:
        raise ValueError("the file is too large")
    return raw.decode("utf-8").strip()


def cipher_for(config: Config, context: Context, state: State | None) -> SecretCipher:
    """Return the cipher of the config for `state`. Raises `MissingExtraError` if its package is not installed."""
    from ..core.redaction import RedactingCipher

    if not config.recipients:
        return RedactingCipher(clear_cipher(), REDACTOR)
    from ..secrets.age import AgeCipher

    lineage = state.lineage if state is not None else ""
    address = config.api_url or context.address
    return RedactingCipher(AgeCipher(config.recipients, address, lineage, SystemRng(), context.environment), REDACTOR)


def clear_cipher() -> SecretCipher:
    """Return the cipher that stores secrets in clear."""
    from ..secrets.clear import ClearCipher

    return ClearCipher()


def system_rng() -> Rng:
    """Return the randomness of this machine."""
    return SystemRng()


def system_clock() -> Clock:
    """Return the clock of this machine."""
    return SystemClock()


def ledger_of(
    context: Context, path: str, purpose: str, lock_timeout_s: float, check: Callable[[State | None], None]
) -> AbstractContextManager[JournalLedger]:
    """Lock the state at `path` and open its ledger. `check` gets the recorded state before anything is written."""
    return open_ledger(
        path,
        api=context.address,
        clock=SystemClock(),
        rng=SystemRng(),
        purpose=purpose,
        lock_timeout_s=lock_timeout_s,
        stop=context.stop,
        check=check,
    )


def send_once(context: Context, url: str, headers: Mapping[str, str], body: bytes) -> int | str:
    """Send one POST that is not SendKit's; return the status of the response, or why there is none."""
    from ..api.network_errors import ExchangeError
    from ..api.transport import Transport

    transport = Transport(context.timeout_s, strict_ca=context.strict_ca)
    try:
        return transport.exchange("POST", url, headers, body).status
    except ExchangeError as error:
        return error.message if error.status is None else error.status
    finally:
        transport.close()


def store_at(address: str) -> Store:
    """Return the store of the state at a path or a URL."""
    return open_store(address)


def state_file_text(state: State) -> str:
    """Return the text of a state file."""
    from ..state.codec import encode_snapshot

    return encode_snapshot(state, None).decode()


def move_of(context: Context, source: str, to: str, lock_timeout_s: float) -> Move:
    """Return the move of a state from one address to another."""
    from ..state.moving import Move

    return Move(open_store(source), open_store(to), to, SystemClock(), context.stop, lock_timeout_s)


def bind_workspace(ledger: JournalLedger, workspace_id: str | None) -> None:
    """Record the configured workspace, if the ledger holds nothing of another one."""
    recorded = ledger.state
    if recorded.workspace_id != workspace_id and (recorded.empty or recorded.workspace_id is None):
        ledger.set_workspace(workspace_id)


def bind_recipients(ledger: Ledger, config: Config) -> None:
    """Record the recipients of the config, once anything is recorded. Until then, each plan reports a new one."""
    recorded = ledger.state
    if recorded.recipients != config.recipients and not recorded.empty:
        ledger.set_recipients(config.recipients)


@contextmanager
def client(context: Context, workspace_id: str | None) -> Iterator[Client]:
    """Yield an API client and close it afterwards."""
    from ..api.client import Client

    key = read_key(context)
    scoped = workspace_id if key.reveal().startswith(PLATFORM_KEY_PREFIX) else None
    made = Client(
        context.address,
        key,
        scoped,
        timeout_s=context.timeout_s,
        retry_for_s=context.retry_for_s,
        strict_ca=context.strict_ca,
        clock=SystemClock(),
        rng=SystemRng(),
        stop=context.stop,
        on_wait=context.note,
        on_call=lambda method, outcome: context.observer(Called(method, outcome)),
        redactor=REDACTOR,
    )
    try:
        yield made
    finally:
        made.close()


def executor_of(api: Client, ledger: JournalLedger, config: Config, context: Context, settings: RunSettings) -> Executor:
    """Return the executor that carries out plans with `api` and `ledger`."""
    from ..applying.executor import Executor

    return Executor.over(
        api,
        ledger,
        cipher_for(config, context, ledger.state),
        SystemClock(),
        SystemRng(),
        settings,
        context.stop,
        server_secrets=config.generate_secret == "server",
        no_list=context.without_list,
    )
