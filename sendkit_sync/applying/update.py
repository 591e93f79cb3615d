"""One update: a durable intent, the PATCH, a durable outcome. A PATCH may be sent again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..core.decryption import decrypt, try_decrypt
from ..core.diagnostics import printable
from ..core.errors import ErrorCode, RefusedError, SyncError
from ..core.fields import Settings
from ..core.model import ActionKind, DesiredWebhook, Intent, LiveWebhook, Secret, SecretOrigin, StoredSecret, WebhookRecord
from ..core.outcomes import Failed, FailureCode, Outcome, Succeeded, Unknown
from ..core.policy import Lifecycle
from ..core.ports import Api, Ledger, Rng, SecretCipher
from ..core.quoting import shell_name
from ..planning.diff import same_except_spelling
from ..planning.plan import Action, SecretSource
from .create import changed_by_api, staged_unreadable
from .intents import record_intent
from .matching import former_names_after

log = logging.getLogger(__name__)

NO_PATCH = (404, 405, 501)


@dataclass(frozen=True, slots=True)
class Edit:
    """What an update sends: `fields` keyed by the API's names, and the new secret as it is stored, if there is one."""

    fields: Mapping[str, object]
    settings: Settings
    secret: StoredSecret | None = None
    replaces: str | None = None
    lifecycle: Lifecycle | None = None
    """What the record keeps of the entry; None keeps what is recorded."""


@dataclass(frozen=True, slots=True)
class Updater:
    """Changes recorded webhooks. Until an outcome is recorded, the old and the new secret are both kept."""

    api: Api
    ledger: Ledger
    cipher: SecretCipher
    rng: Rng

    def update(self, action: Action) -> tuple[Outcome, list[str]]:
        """Carry out an update of the plan. Returns the outcome and warnings about the response."""
        webhook, record = action.desired, action.recorded
        assert webhook is not None
        assert record is not None
        if webhook.secret is None and self._staged_is_unreadable(webhook.name, record, action.former_name):
            return staged_unreadable(webhook.name), []
        secret, stored = self._secret(action, webhook, record)
        fields: dict[str, object] = self._fields(action, webhook, record)
        if secret is not None:
            fields["secret"] = secret
        edit = Edit(fields, webhook.settings, stored, action.former_name, webhook.lifecycle)
        answer = self.send(webhook.name, record, edit)
        if not isinstance(answer, Succeeded) or answer.live is None:
            return answer, []
        warnings = changed_by_api(webhook, secret, answer.live, webhook.policy.ignore_changes)
        if action.drifted and self._is_respelt(webhook.name, answer.live):
            warnings.append("the API lists a different spelling than it returned; from now on this is not a change")
        return answer, warnings

    def _is_respelt(self, name: str, answered: LiveWebhook) -> bool:
        """Return whether a read shows a different spelling, and record it. Otherwise the drift would never end."""
        try:
            seen = self.api.get(answered.id)
        except SyncError:
            return False
        if seen is None:
            return False
        shown = replace(seen, settings=seen.settings.filled(answered.settings))
        if (shown.name, shown.settings) == (answered.name, answered.settings) or not same_except_spelling(shown, answered):
            return False
        recorded = self.ledger.record_of(name)
        assert recorded is not None
        self.ledger.record(name, recorded.answered(shown))
        return True

    def rotate(self, name: str, record: WebhookRecord) -> tuple[Outcome, list[str]]:
        """Send a new secret, or finish a rotation with an unknown outcome. Returns the same as `update`.

        Raises `RefusedError` if another change of the webhook has no outcome.
        """
        self._check_unanswered(name, record)
        secret, stored = self._sent_secret(name, record) or self._generated_secret(name)
        return self._send_secret(name, record, secret, stored)

    def _check_unanswered(self, name: str, record: WebhookRecord) -> None:
        others = [one for one in self.ledger.state.intents() if one.name == name or one.id == record.id]
        if any(one.secret is None or one.replaces or one.settings != record.applied or one.id != record.id for one in others):
            raise RefusedError(
                ErrorCode.UPDATE_UNANSWERED,
                f'the outcome of an earlier change of "{printable(name)}" is unknown',
                hint="Run apply first.",
            )

    def _send_secret(self, name: str, record: WebhookRecord, secret: Secret, stored: StoredSecret) -> tuple[Outcome, list[str]]:
        answer = self.send(name, record, Edit({"secret": secret}, record.applied, stored))
        live = answer.live if isinstance(answer, Succeeded) else None
        if live is not None and live.secret is not None and live.secret != secret:
            return answer, ["the API returned a different secret than was sent"]
        return answer, []

    def activate(self, name: str, record: WebhookRecord) -> tuple[Outcome, list[str]]:
        """Send the staged secret of a recorded webhook. Returns the same as `rotate`.

        Raises `SecretUnreadableError` if it cannot be decrypted, and `RefusedError` if another change of the webhook has no
        outcome.
        """
        stored = self.ledger.staged_of(name)
        assert stored is not None
        self._check_unanswered(name, record)
        return self._send_secret(name, record, decrypt(self.cipher, (name, *record.former_names), stored), stored)

    def _staged_is_unreadable(self, name: str, record: WebhookRecord, former_name: str | None) -> bool:
        """Return whether an unanswered update sent the staged secret, but it cannot be decrypted to send it again."""
        staged = self.ledger.staged_of(former_name or name)
        sent = [intent.secret for intent in self.ledger.updates_of(record.id) if intent.secret is not None]
        if staged is None or not any(staged.same_as(secret) for secret in sent):
            return False
        return try_decrypt(self.cipher, (former_name or name, *record.former_names), staged) is None

    def send(self, name: str, record: WebhookRecord, edit: Edit) -> Outcome:
        """PATCH the webhook of `record` with `edit`, and record the outcome under `name`.

        Raises `StateIOError` if the intent or the outcome cannot be written.
        """
        intent = Intent(
            op=self.rng.token(),
            action=ActionKind.UPDATE,
            name=name,
            sent_at=self.api.now(),
            settings=edit.settings,
            secret=edit.secret,
            id=record.id,
            replaces=edit.replaces,
        )
        record_intent(self.ledger, intent, log)
        answer = self._patch(record.id, edit, intent)
        if isinstance(answer, Failed):
            self.ledger.drop(intent)
        elif isinstance(answer, Succeeded) and answer.live is not None:
            self.ledger.record(name, _changed(record, answer.live, edit), replaces=edit.replaces)
        return answer

    def _patch(self, webhook_id: str, edit: Edit, intent: Intent) -> Outcome:
        answer = self.api.update(webhook_id, edit.fields, lambda: self.ledger.restamp(intent, self.api.now()))
        if isinstance(answer, Succeeded) and (answer.live is None or answer.live.id != webhook_id):
            return Unknown(FailureCode.RESPONSE_INVALID, "the API returned a different webhook")
        if isinstance(answer, Failed | Unknown) and answer.status in NO_PATCH:
            return self._without_patch(webhook_id, edit, intent.name, answer)
        return answer

    def _without_patch(self, webhook_id: str, edit: Edit, name: str, answer: Failed | Unknown) -> Failed:
        if answer.status == 404:
            try:
                if self.api.get(webhook_id) is None:
                    return Failed(
                        FailureCode.GONE, "it no longer exists in SendKit: run apply --refresh to create it again", 404
                    )
            except SyncError as error:
                return Failed(FailureCode.NOT_FOUND, f"{answer.message}; reading it failed too: {error.what}", 404)
        reason = f"the server cannot change webhooks ({answer.status})"
        by_hand = f"change it in SendKit by hand, then run {_commands_to_record(webhook_id, edit, name)}"
        return Failed(FailureCode.NO_UPDATE, f"{reason}: {by_hand}", answer.status)

    def _fields(self, action: Action, webhook: DesiredWebhook, record: WebhookRecord) -> dict[str, object]:
        """Return the fields to send, except the secret: those that differ, or all after an unanswered update."""
        ignored = webhook.policy.ignore_changes
        fields = {key: value for key, value in webhook.settings.effective().wire().items() if key not in ignored}
        every: dict[str, object] = {"name": webhook.name, **fields}
        if action.unanswered:
            return every
        paths = {change.path for change in action.changes}
        return {path: value for path, value in every.items() if path in paths}

    def _secret(
        self, action: Action, webhook: DesiredWebhook, record: WebhookRecord
    ) -> tuple[Secret | None, StoredSecret | None]:
        """Return the secret to send and its stored form, or None and None if it does not change.

        After an unanswered update that sent a secret, it is unknown which of the two is in force. So the new one is sent again
        or, if it cannot be decrypted, another one is generated.
        """
        if webhook.secret is None:
            sent = self._sent_secret(webhook.name, record) if action.secret_source is SecretSource.ATTEMPT else None
            return sent if sent is not None else (None, None)
        if record.secret is None or not record.secret.matches(webhook.secret):
            return webhook.secret, self.cipher.encrypt(webhook.name, webhook.secret, SecretOrigin.CONFIG)
        return (webhook.secret, record.secret) if action.unanswered else (None, None)

    def _sent_secret(self, name: str, record: WebhookRecord) -> tuple[Secret, StoredSecret] | None:
        """Return the secret of the last unanswered update that sent one, or a new one if it cannot be decrypted."""
        updates = self.ledger.updates_of(record.id)
        sent = [(intent.name, intent.secret) for intent in updates if intent.secret is not None]
        if not sent:
            return None
        encrypted_for, stored = sent[-1]
        staged = self.ledger.staged_of(encrypted_for)
        # A staged secret is sent, or nothing is. Any other is generated again unless it is proved who wrote it.
        proved = staged is None or not staged.same_as(stored)
        secret = try_decrypt(self.cipher, (encrypted_for, *record.former_names), stored, proved=proved)
        if secret is None:
            return self._generated_secret(name)
        return secret, stored if encrypted_for == name else self.cipher.encrypt(name, secret, stored.origin)

    def _generated_secret(self, name: str) -> tuple[Secret, StoredSecret]:
        generated = Secret(self.rng.secret())
        return generated, self.cipher.encrypt(name, generated, SecretOrigin.GENERATED)


def _commands_to_record(webhook_id: str, edit: Edit, name: str) -> str:
    """Return the commands that record a change of a webhook that was made by hand."""
    if "secret" in edit.fields:
        # A read never replaces a recorded secret, so the record must be removed first.
        forget, adopt = f"state forget {shell_name(edit.replaces or name)}", f"import {shell_name(name)} {webhook_id}"
        return f"`sendkit-sync {forget}`, `sendkit-sync {adopt}` and `sendkit-sync secret set {shell_name(name)} < FILE`"
    if edit.replaces is not None:
        return "`sendkit-sync apply --refresh`"
    return f"`sendkit-sync import {shell_name(name)} {webhook_id}`"


def _changed(record: WebhookRecord, live: LiveWebhook, edit: Edit) -> WebhookRecord:
    changed = replace(
        record.answered(live),
        applied=edit.settings,
        lifecycle=edit.lifecycle or record.lifecycle,
        former_names=former_names_after(record.former_names, edit.replaces),
        applied_name=None if "name" in edit.fields else record.applied_name,
    )
    if edit.secret is None or edit.secret == record.secret:
        return changed
    return replace(changed, secret=edit.secret, previous_secrets=record.previous_after(edit.secret), candidate_secrets=())
