"""The safeguards of states in stores: conditions, leases, the gate before each call, and moves."""

from __future__ import annotations

from safeguard import Safeguard, one

LEASE = "tests/reliability/test_lease.py::"
CONTRACT = "tests/reliability/test_store_contract.py::"
RUNS = "tests/reliability/test_store_runs.py::"
MOVING = "tests/reliability/test_moving.py::"
OBJECTS = "tests/unit/state/test_objects.py::"
ADDRESS = "tests/unit/core/test_store_address.py::"
LOST = "test_a_holder_that_lost_its_lease_writes_nothing_and_starts_no_call"

STORES: tuple[Safeguard, ...] = (
    one(
        "an object is replaced only if it is still the version that was read",
        f"{CONTRACT}test_of_two_that_swap_the_same_version_one_wins[objects]",
        "state/stores/objects.py",
        '"create" if base is None else json.loads(base.version)',
        '"overwrite"',
    ),
    one(
        "a row is changed only if it still has the nonce that was read",
        f"{CONTRACT}{LOST}[postgres]",
        "state/stores/postgres.py",
        " and head.nonce = %(base)s returning head.name",
        " and (head.nonce = %(base)s or true) returning head.name",
    ),
    one(
        "after an error, our own nonce means that the write happened",
        f"{LEASE}TestAWrite::test_one_that_happened_and_was_called_a_conflict_is_not_written_again",
        "state/stores/register.py",
        "            if found is not None and found.nonce == head.nonce:\n",
        "            if False:\n",
    ),
    one(
        "after an error, another holder's content means that this run is fenced",
        f"{LEASE}TestTakingOver::test_a_fenced_holder_overwrites_nothing_and_gives_nothing_back",
        "state/stores/register.py",
        "            if (found and found.nonce) != (base and base.nonce):\n",
        "            if False:\n",
    ),
    one(
        "after an error, an unchanged version means that the write may be tried again",
        f"{LEASE}TestAWrite::test_any_sequence_of_fates_comes_to_the_same_end",
        "state/stores/register.py",
        "            if (found and found.nonce) != (base and base.nonce):\n",
        "            if True:\n",
    ),
    one(
        "each write has a nonce of its own",
        f"{LEASE}TestAWrite::test_each_has_a_nonce_of_its_own_so_that_no_two_have_the_same_version",
        "state/stores/lease.py",
        "    return os.urandom(16).hex()\n",
        '    return "nonce"\n',
    ),
    one(
        "a store that asks for it gets one write per second",
        f"{LEASE}TestAWrite::test_a_busy_store_gets_one_a_second_from_then_on",
        "state/stores/register.py",
        "                self.interval_s = BUSY_INTERVAL_S\n",
        "",
    ),
    one(
        "a write is retried while the store is unavailable, for up to a minute",
        f"{LEASE}TestAStoreThatIsAway::test_for_a_minute_between_intent_and_outcome_delays_the_outcome_and_loses_nothing",
        "state/stores/register.py",
        "WRITE_FOR_S = 120.0\n",
        "WRITE_FOR_S = 20.0\n",
    ),
    one(
        "the store's library retries no write",
        f"{OBJECTS}test_a_write_is_sent_once_and_its_error_holds_nothing_of_the_answer",
        "state/stores/objects.py",
        '"retry_config": {"max_retries": 0}',
        '"retry_config": {"max_retries": 2}',
    ),
    one(
        "a store that ignores conditions is refused",
        f"{OBJECTS}test_a_store_that_ignores_conditions_is_refused",
        "state/stores/objects.py",
        "            if not all(refuses):\n",
        "            if False:\n",
    ),
    one(
        "an object beside the head must be the one that the head names",
        f"{OBJECTS}test_an_object_beside_the_head_that_is_damaged_is_an_error",
        "state/stores/objects.py",
        "if found is None or (len(found[0]), hashlib.sha256(found[0]).hexdigest()) != (pointer.size, pointer.sha256):\n",
        "if found is None:\n",
    ),
    one(
        "no message quotes a store's response",
        f"{OBJECTS}test_a_write_is_sent_once_and_its_error_holds_nothing_of_the_answer",
        "state/stores/objects.py",
        'return RegisterError(f"the store answered {details}", busy',
        'return RegisterError(f"the store answered {text}", busy',
    ),
    one(
        "a call starts only within half a minute of a confirmed write",
        f"{LEASE}TestTheGate::test_a_call_needs_a_write_of_the_last_half_minute_or_renews_first",
        "state/stores/lease.py",
        "        while self._clock.boottime() - self._confirmed_at >= SEND_WITHIN_S:\n",
        "        while False:\n",
    ),
    one(
        "the half minute counts from the start of the write",
        f"{LEASE}TestTheGate::test_the_half_minute_counts_from_the_start_of_a_write_that_took_long",
        "state/stores/lease.py",
        "            self._confirmed_at = began\n            return True\n",
        "            self._confirmed_at = self._clock.boottime()\n            return True\n",
    ),
    one(
        "time in suspend counts",
        f"{LEASE}TestTheGate::test_a_suspend_counts_and_a_wall_clock_that_is_ten_minutes_off_does_not",
        "state/stores/lease.py",
        "        while self._clock.boottime() - self._confirmed_at",
        "        while self._clock.monotonic() - self._confirmed_at",
    ),
    one(
        "each call checks the lease first",
        f"{RUNS}test_a_run_that_is_halted_and_taken_over_stops_when_it_goes_on[postgres-intent-durable]",
        "applying/throttle.py",
        "            self.before_call()\n            answer = call(again)\n",
        "            answer = call(again)\n",
    ),
    one(
        "each retry of a call checks the lease first",
        "tests/unit/applying/test_throttle.py::test_each_attempt_of_a_call_passes_the_gate_after_its_intent_was_dated_again",
        "applying/throttle.py",
        "            before_attempt()\n            self.before_call()\n\n",
        "            before_attempt()\n\n",
    ),
    one(
        "a lease is dead only after it stood still for a minute",
        f"{LEASE}TestTakingOver::test_a_dead_lease_is_taken_over_after_a_minute_and_no_earlier",
        "state/stores/lease.py",
        "        return clock.boottime() - self._sighting[1] >= DEAD_AFTER_S\n",
        "        return True\n",
    ),
    one(
        "a lease is renewed while nothing is written",
        f"{RUNS}test_a_live_run_is_not_taken_over_however_long_its_calls_take[postgres]",
        "state/stores/lease.py",
        "            if self._renews:\n                keeper.start()\n",
        "            keeper.run = lambda: None  # type: ignore[method-assign]\n            keeper.start()\n",
    ),
    one(
        "a write that arrived after its writer gave up stays when the lease is released",
        f"{LEASE}TestAStoreThatIsAway::test_an_outcome_that_arrives_after_its_writer_gave_up_is_kept_when_the_lease_is_given_back",
        "state/stores/lease.py",
        "                found = self._swapper.register.read()\n",
        "                found = replace(self._head, version=self._swapper.register.read().version)\n",
    ),
    one(
        "a run releases only its own lease",
        f"{LEASE}TestTheHead::test_one_of_another_term_is_never_taken_for_ones_own",
        "state/stores/lease.py",
        "(found.term, found.holder) == (self._head.term, self._head.holder)",
        "True",
    ),
    one(
        "a write is durable whatever the server's default is",
        f"{RUNS}TestPostgres::test_what_is_recorded_is_durable_although_the_server_does_not_wait_by_default",
        "state/stores/postgres.py",
        "then 'remote_apply' else 'on' end",
        "then 'remote_apply' else 'off' end",
    ),
    one(
        "a server without fsync is refused",
        f"{RUNS}TestPostgres::test_a_server_without_fsync_is_refused_and_nothing_is_sent",
        "state/stores/postgres.py",
        '        if fsync != "on":\n',
        "        if False:\n",
    ),
    one(
        "no statement is prepared, so a connection pooler may be used",
        f"{RUNS}test_behind_a_pooler_each_statement_may_meet_another_session",
        "state/stores/postgres.py",
        "prepare_threshold=None",
        "prepare_threshold=0",
    ),
    one(
        "a URL with credentials is refused",
        f"{ADDRESS}test_a_credential_in_a_url_is_an_error_that_does_not_show_it",
        "core/store_address.py",
        "    if password is not None or (parts.username",
        "    if False and (parts.username",
    ),
    one(
        "off loopback, PostgreSQL must show a valid certificate",
        f"{ADDRESS}test_a_server_elsewhere_must_prove_who_it_is",
        "state/stores/postgres.py",
        '    if mode not in ("verify-full", "verify-ca"):\n',
        "    if False:\n",
    ),
    one(
        "off loopback, an object store needs TLS",
        f"{ADDRESS}test_an_endpoint_elsewhere_needs_tls",
        "state/stores/objects.py",
        'if parts.scheme != "https" and not (',
        "if False and not (",
    ),
    one(
        "a resend waits for the last call of a run that lost its lease",
        "tests/integration/test_messages.py::test_a_message_says_what_happened_and_what_to_do[resend_too_soon]",
        "app/checks.py",
        "    if context.timeout_s + LAST_CALL_MARGIN_S >= settings.resend_after_s:\n",
        "    if False:\n",
    ),
    one(
        "a state that is being moved is not written",
        f"{MOVING}test_it_is_at_the_destination_with_all_it_held",
        "state/codec.py",
        "    if mark is not None:\n        refuse(mark, where)\n",
        "",
    ),
    one(
        "a migration that was aborted meanwhile writes nothing",
        f"{MOVING}test_a_mover_that_was_halted_and_given_up_meanwhile_writes_nothing[register-read]",
        "state/moving.py",
        "            source.confirm()\n",
        "",
    ),
    one(
        "an aborted migration leaves nothing live at the destination",
        f"{MOVING}test_given_up_it_stays_at_its_source_also_when_that_is_killed",
        "state/moving.py",
        "                destination.fold(Mark(self.source.address, mark.lineage, mark.serial, None).encode(), last=True)\n",
        "",
    ),
)
