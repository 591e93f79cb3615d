"""The words of the project as types: desired, recorded and live webhooks, secrets, and intents.

Plain, frozen data without I/O. How it is written to a file, sent or printed is the business of `state`,
`api` and `render`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NoReturn

from .diagnostics import Span
from .fields import Settings

SENSITIVE = "(sensitive)"
"""What every output shows in a secret's place."""

PLATFORM_KEY_PREFIX = "sk_user_"
"""How a key that acts on many workspaces begins (SendKit API, Authentication)."""


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Secret:
    """A text that never prints itself: `str`, `repr` and `format` give `(sensitive)`.

    It is no `str`, so that neither `json` nor a join writes it by accident; `reveal` is the one way to the
    text, and easy to search for. Equality takes the same time wherever two secrets differ.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; for a request, a file of mode 0600, or a command that was asked for it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac

        return hmac.compare_digest(_raw(self._text), _raw(other._text))

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return SENSITIVE

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(SENSITIVE, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


class ActionKind(StrEnum):
    """What an action does; the values are those of the JSON output."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    DELETE = "delete"
    FORGET = "forget"


class SecretOrigin(StrEnum):
    """Who made a secret."""

    GENERATED = "generated"
    """Drawn by this tool: 32 random bytes as hex."""
    CONFIG = "config"
    """Given by the user, in the config or on standard input."""
    SERVER = "server"
    """Drawn by the API, and learned from its answer or its list."""


@dataclass(frozen=True, slots=True)
class DesiredWebhook:
    """A desired webhook: one entry of the config, with its variables filled in.

    `secret` is None when the config gives none. `secret_origin` tells where it comes from without telling it:
    `generated`, `server`, `literal`, or `env:NAME` with the whole name of the variable (which may be unset:
    then `secret` is None although the config asks for one).
    """

    name: str
    settings: Settings
    secret: Secret | None = None
    secret_origin: str = "generated"
    renamed_from: str | None = None
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DeliveryStats:
    """What SendKit counts of a webhook since it exists; None for what an answer leaves out.

    `last_delivered_at` is the API's own text, ISO 8601 in UTC.
    """

    delivered: int | None = None
    failed: int | None = None
    last_delivered_at: str | None = None


@dataclass(frozen=True, slots=True)
class LiveWebhook:
    """A webhook as the API answers it.

    `secret` is None where the answer has none or a masked one (it ends in `...`); `secret_masked` tells the two
    apart. `created_at` is the API's own text, ISO 8601 in UTC. `stats` differ from one read to the next, and never
    make two webhooks unequal.
    """

    id: str
    name: str
    settings: Settings
    secret: Secret | None = None
    secret_masked: bool = False
    status: str | None = None
    workspace_id: str | None = None
    created_at: str | None = None
    stats: DeliveryStats = field(default=DeliveryStats(), compare=False)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells whether a secret is the kept one without keeping it readable.

    A drawn secret has 256 random bits, so its plain SHA-256 gives nothing away; a secret from the config may be
    weak, so it gets HMAC-SHA256 under a random `salt` (hex) of its own.
    """

    digest: str
    salt: str | None = None

    @classmethod
    def of(cls, secret: Secret, salt: str | None) -> Fingerprint:
        """Return the fingerprint of `secret`; without a `salt` only for a secret that the tool drew."""
        import hashlib
        import hmac

        raw = _raw(secret.reveal())
        if salt is None:
            return cls(hashlib.sha256(raw).hexdigest())
        return cls(hmac.new(bytes.fromhex(salt), raw, hashlib.sha256).hexdigest(), salt)

    def matches(self, secret: Secret) -> bool:
        """Tell whether this is the fingerprint of `secret`."""
        import hmac

        return hmac.compare_digest(self.digest, Fingerprint.of(secret, self.salt).digest)


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret as the state keeps it: in clear (`clear`), or sealed for age recipients (`encrypted`, base64).

    A sealed one has a fingerprint, so that it can be compared without the identity.
    """

    origin: SecretOrigin
    clear: Secret | None = None
    encrypted: str | None = None
    fingerprint: Fingerprint | None = None

    def matches(self, secret: Secret) -> bool:
        """Tell whether `secret` is the one that is kept here."""
        if self.clear is not None:
            return self.clear == secret
        return self.fingerprint is not None and self.fingerprint.matches(secret)


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """What the state holds of one webhook.

    `applied` is what was last sent, `confirmed` and `status` what the API answered to it. `secret` is None when
    it is missing: the webhook was adopted where the API masks secrets. `former_names` may open a seal that was
    made before a rename. `previous_secrets`, newest first, are those before the last change; and where nobody can tell
    which of several attempts made the webhook, those of the others. `confirmed_name` is the name that the API answered;
    `applied_name` the one that was adopted, where that is another than the record's own.
    """

    id: str
    applied: Settings
    confirmed: Settings
    confirmed_name: str
    secret: StoredSecret | None
    status: str | None = None
    created_at: str | None = None
    previous_secrets: tuple[StoredSecret, ...] = ()
    former_names: tuple[str, ...] = ()
    applied_name: str | None = None

    def answered(self, live: LiveWebhook) -> WebhookRecord:
        """Return the same record with what the API answers now in place of what it answered before."""
        return replace(self, confirmed=live.settings, confirmed_name=live.name, status=live.status or self.status)

    def secrets(self) -> Iterator[StoredSecret]:
        """Yield every secret that is kept, the current one first."""
        if self.secret is not None:
            yield self.secret
        yield from self.previous_secrets

    def before(self, secret: StoredSecret | None) -> tuple[StoredSecret, ...]:
        """Return what are the previous secrets once `secret` is the current one."""
        return self.previous_secrets if self.secret in (None, secret) else (self.secret,)


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that was announced in the journal and has no recorded outcome.

    `op` is random and names it; `sent_at` is the time of the last send, seconds since the epoch, UTC. `settings`
    and `secret` are what the call sends; for an update they are the whole entry as it will be when it is done,
    and `secret` is None where it stays. `id` is the webhook of an update or a delete. `seen` are the ids of
    look-alikes that were live before the call. `expired` tells that no match was found and the last send is
    too long ago for one to appear.
    """

    op: str
    action: ActionKind
    name: str
    sent_at: float
    settings: Settings | None = None
    secret: StoredSecret | None = None
    id: str | None = None
    seen: tuple[str, ...] = ()
    expired: bool = False
    replaces: str | None = None
    """The recorded name that this call gives up (`renamedFrom`)."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is recorded: the content of a snapshot with its journal replayed onto it.

    `webhooks` and `pending` are mappings by name; `pending` holds, oldest first, the intents without an outcome.
    `lineage` is random and stays for life; `serial` rises with each snapshot whose content changed. `api` is the
    address that the ids belong to. Nobody changes the mappings in place but the ledger that owns them.
    """

    lineage: str
    serial: int
    api: str
    workspace_id: str | None = None
    webhooks: Mapping[str, WebhookRecord] = field(default_factory=dict)
    pending: Mapping[str, tuple[Intent, ...]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Tell whether nothing is recorded or pending: then it belongs to no address and no workspace yet."""
        return not self.webhooks and not self.pending

    def unresolved(self) -> list[str]:
        """Return, sorted, the names whose create may or may not have happened."""
        return sorted(
            name
            for name, intents in self.pending.items()
            if any(intent.action is ActionKind.CREATE and not intent.expired for intent in intents)
        )

    def intents(self) -> Iterator[Intent]:
        """Yield all calls without an outcome, those of one name oldest first."""
        # A copy first, in one step: another thread may be recording meanwhile.
        for intents in list(self.pending.values()):
            yield from intents

    def updates_of(self, webhook_id: str) -> list[Intent]:
        """Return the updates of one webhook without an outcome, under whatever name they stand."""
        return [intent for intent in self.intents() if intent.action is ActionKind.UPDATE and intent.id == webhook_id]

    def secrets(self) -> Iterator[StoredSecret]:
        """Yield every secret that is kept: of records, former ones, and of calls without an outcome."""
        for recorded in self.webhooks.values():
            yield from recorded.secrets()
        yield from (intent.secret for intent in self.intents() if intent.secret is not None)

    def recorded_ids(self) -> set[str]:
        """Return the ids of all recorded webhooks."""
        # A copy first, in one step: another thread may be recording meanwhile.
        return {recorded.id for recorded in list(self.webhooks.values())}
