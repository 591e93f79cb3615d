"""One create: the intent on disk, the POST, the outcome on disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.decryption import try_decrypt
from ..core.fields import SHOWN
from ..core.model import ActionKind, DesiredWebhook, Intent, LiveWebhook, Secret, SecretOrigin, StoredSecret, WebhookRecord
from ..core.outcomes import Failed, FailureCode, Succeeded, Unknown
from ..core.ports import Api, Clock, Ledger, Rng, SecretCipher
from ..core.quoting import shell_name
from ..planning.plan import SecretSource
from .announce import announce
from .resolving import record_of, renamed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Creator:
    """Makes webhooks, each at most once. `server_secrets` leaves drawing secrets to the API."""

    api: Api
    ledger: Ledger
    cipher: SecretCipher
    clock: Clock
    rng: Rng
    server_secrets: bool = False

    def create(
        self,
        webhook: DesiredWebhook,
        seen: tuple[str, ...],
        *,
        former: WebhookRecord | None = None,
        replaces: str | None = None,
        source: SecretSource = SecretSource.GENERATED,
    ) -> tuple[Succeeded | Failed | Unknown, list[str]]:
        """Make `webhook`; return what came of it and warnings about the answer.

        `seen` are the ids of look-alikes that are live already; `former` is the record of the webhook that is gone,
        kept under the name `replaces` where that is another one. `source` is where the plan says that the secret comes
        from. Raises `StateIOError` where the intent or the
        outcome cannot be written; a call that was made then stays an intent for the next run to settle.
        """
        secret, stored = self._secret(webhook, former, replaces, source)
        if source is SecretSource.STAGED and secret is None:
            return staged_unreadable(webhook.name), []
        intent = Intent(
            op=self.rng.token(),
            action=ActionKind.CREATE,
            name=webhook.name,
            sent_at=self.clock.now(),
            settings=webhook.settings,
            secret=stored,
            seen=seen,
            replaces=replaces,
        )
        announce(self.ledger, intent, log)

        def before_attempt() -> None:
            self.ledger.restamp(intent, self.clock.now())

        answer = self.api.create(webhook.name, webhook.settings, secret, before_attempt)
        if isinstance(answer, Failed):
            self.ledger.drop(intent)
        if not isinstance(answer, Succeeded) or answer.live is None:
            return answer, []
        doubt = self._doubt(answer.live, webhook, secret)
        if doubt is not None:
            return Unknown(FailureCode.RESPONSE_INVALID, doubt), []
        self.ledger.record(webhook.name, record_of(intent, answer.live, self.cipher, former), replaces=replaces)
        return answer, differences(webhook, secret, answer.live)

    def _secret(
        self, webhook: DesiredWebhook, former: WebhookRecord | None, replaces: str | None, source: SecretSource
    ) -> tuple[Secret | None, StoredSecret | None]:
        if webhook.secret is not None:
            return webhook.secret, self.cipher.encrypt(webhook.name, webhook.secret, SecretOrigin.CONFIG)
        if source is SecretSource.STAGED:
            staged = self.ledger.staged_of(webhook.name)
            assert staged is not None
            return try_decrypt(self.cipher, (webhook.name,), staged), staged
        for names, stored in self._earlier(webhook.name, former, replaces, source):
            secret = try_decrypt(self.cipher, names, stored)
            if secret is not None:
                return secret, stored
        if self.server_secrets:
            return None, None
        drawn = Secret(self.rng.secret())
        return drawn, self.cipher.encrypt(webhook.name, drawn, SecretOrigin.GENERATED)

    def _earlier(
        self, name: str, former: WebhookRecord | None, replaces: str | None, source: SecretSource
    ) -> Iterator[tuple[tuple[str, ...], StoredSecret]]:
        """Yield the secrets to go on with, the best first, each with the names that it may be encrypted for.

        Those of expired attempts, so that one proof fits all of them; or that of the webhook which is gone.
        """
        names = (name,) if former is None else (name, *renamed(former.former_names, replaces))
        if source is SecretSource.ATTEMPT:
            for intent in reversed(self.ledger.pending_of(name)):
                if intent.secret is not None and intent.secret.origin is SecretOrigin.GENERATED:
                    yield names, intent.secret
        elif source is SecretSource.RECORDED and former is not None and former.secret is not None:
            yield names, former.secret

    def _doubt(self, live: LiveWebhook, webhook: DesiredWebhook, secret: Secret | None) -> str | None:
        if self.ledger.has_id(live.id):
            return f"the API answered with the id {live.id}, which is recorded already"
        if live.name != webhook.name and (secret is None or live.secret != secret):
            return f"the API answered with another webhook, {live.id}"
        return None


def staged_unreadable(name: str) -> Failed:
    """Say that a staged secret cannot be read here, and so not sent; another one would fail at the receiver that has it."""
    what = "its staged secret cannot be read here, and no other one is sent in its place"
    advice = f"run this where the identity is, or sendkit-sync secret unstage {shell_name(name)}"
    return Failed(FailureCode.STAGED_UNREADABLE, f"{what}: {advice}")


def differences(webhook: DesiredWebhook, secret: Secret | None, live: LiveWebhook) -> list[str]:
    """Return what the API recorded otherwise than it was sent, as lines for people; `secret` is None where none was."""
    sent = webhook.settings.effective()
    shown = secret if live.secret is None or secret is None else live.secret
    mine = {"name": webhook.name, **sent.by_key(), "secret": secret}
    theirs = {"name": live.name, **live.settings.filled(sent).by_key(), "secret": shown}
    return [f"the API recorded another {key} than was sent" for key in SHOWN if mine[key] != theirs[key]]
