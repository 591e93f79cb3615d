"""One create: a durable intent, the POST, a durable outcome."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..core.decryption import try_decrypt
from ..core.fields import SHOWN
from ..core.model import ActionKind, DesiredWebhook, Intent, LiveWebhook, Secret, SecretOrigin, StoredSecret, WebhookRecord
from ..core.outcomes import Failed, FailureCode, Succeeded, Unknown
from ..core.ports import Api, Ledger, Rng, SecretCipher
from ..core.quoting import shell_name
from ..planning.plan import SecretSource
from .intents import record_intent
from .matching import record_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Creator:
    """Creates webhooks, each at most once. With `server_secrets`, the API generates secrets."""

    api: Api
    ledger: Ledger
    cipher: SecretCipher
    rng: Rng
    server_secrets: bool = False

    def create(
        self,
        webhook: DesiredWebhook,
        resembled: tuple[str, ...],
        *,
        former: WebhookRecord | None = None,
        replaces: str | None = None,
        source: SecretSource = SecretSource.GENERATED,
    ) -> tuple[Succeeded | Failed | Unknown, list[str]]:
        """Create `webhook`. Returns the outcome and warnings about the response.

        `resembled` holds the ids of possible duplicates that are already live. `former` is the record of a webhook that is
        gone, recorded under the name `replaces` if that differs. `source` is where the secret comes from, according to the
        plan. Raises `StateIOError` if the intent or the outcome cannot be written. A call that was sent then stays an
        intent, which the next run resolves.
        """
        secret, stored = self._secret(webhook, former, replaces, source)
        if source is SecretSource.STAGED and secret is None:
            return staged_unreadable(webhook.name), []
        intent = Intent(
            op=self.rng.token(),
            action=ActionKind.CREATE,
            name=webhook.name,
            sent_at=self.api.now(),
            settings=webhook.settings,
            secret=stored,
            seen=resembled,
            replaces=replaces,
            lifecycle=webhook.lifecycle,
        )
        record_intent(self.ledger, intent, log)

        def before_attempt() -> None:
            self.ledger.restamp(intent, self.api.now())

        answer = self.api.create(webhook.name, webhook.settings, secret, before_attempt)
        if isinstance(answer, Failed):
            self.ledger.drop(intent)
        if not isinstance(answer, Succeeded) or answer.live is None:
            return answer, []
        mismatch = self._mismatch(answer.live, webhook, secret)
        if mismatch is not None:
            return Unknown(FailureCode.RESPONSE_INVALID, mismatch), []
        self.ledger.record(webhook.name, record_of(intent, answer.live, self.cipher, former), replaces=replaces)
        return answer, changed_by_api(webhook, secret, answer.live)

    def _secret(
        self, webhook: DesiredWebhook, former: WebhookRecord | None, replaces: str | None, source: SecretSource
    ) -> tuple[Secret | None, StoredSecret | None]:
        if webhook.secret is not None:
            return webhook.secret, self.cipher.encrypt(webhook.name, webhook.secret, SecretOrigin.CONFIG)
        if source is SecretSource.STAGED:
            staged = self.ledger.staged_of(webhook.name)
            assert staged is not None
            return try_decrypt(self.cipher, (webhook.name,), staged), staged
        # Where the state alone says that a name is a former one, somebody may have put another webhook's secret there.
        names = tuple(filter(None, (webhook.name, replaces, webhook.renamed_from)))
        for stored in self._earlier(webhook.name, former, source):
            secret = try_decrypt(self.cipher, names, stored, proved=source is SecretSource.ATTEMPT)
            if secret is not None:
                return secret, stored
        if self.server_secrets:
            return None, None
        generated = Secret(self.rng.secret())
        return generated, self.cipher.encrypt(webhook.name, generated, SecretOrigin.GENERATED)

    def _earlier(self, name: str, former: WebhookRecord | None, source: SecretSource) -> Iterator[StoredSecret]:
        """Yield the secrets to go on with: of expired attempts, so that one proof fits all, or of the webhook that is gone."""
        if source is SecretSource.ATTEMPT:
            for intent in reversed(self.ledger.pending_of(name)):
                if intent.secret is not None and intent.secret.origin is SecretOrigin.GENERATED:
                    yield intent.secret
        elif source is SecretSource.RECORDED and former is not None and former.secret is not None:
            yield former.secret

    def _mismatch(self, live: LiveWebhook, webhook: DesiredWebhook, secret: Secret | None) -> str | None:
        if self.ledger.has_id(live.id):
            return f"the API returned the id {live.id}, which is already recorded"
        if live.name != webhook.name and (secret is None or live.secret != secret):
            return f"the API returned a different webhook, {live.id}"
        return None


def staged_unreadable(name: str) -> Failed:
    """Return the failure of a staged secret that cannot be read. A receiver that has it would reject any other one."""
    what = "its staged secret cannot be decrypted here, and no other secret is sent instead"
    advice = f"run this where the identity is available, or run `sendkit-sync secret unstage {shell_name(name)}`"
    return Failed(FailureCode.STAGED_UNREADABLE, f"{what}: {advice}")


def changed_by_api(
    webhook: DesiredWebhook, secret: Secret | None, live: LiveWebhook, unsent: Collection[str] = ()
) -> list[str]:
    """Return what the API changed about the request, as lines for people.

    `secret` is None if none was sent; `unsent` are the keys of fields that were left alone.
    """
    sent = webhook.settings.effective()
    shown = secret if live.secret is None or secret is None else live.secret
    mine = {"name": webhook.name, **sent.by_key(), "secret": secret}
    theirs = {"name": live.name, **live.settings.filled(sent).by_key(), "secret": shown}
    return [
        f"the API returned a different {key} than was sent" for key in SHOWN if key not in unsent and mine[key] != theirs[key]
    ]
