"""Each safeguard as data: where in the package it stands, what is left when it is taken out, and the case that notices."""

from __future__ import annotations

from safeguard import Safeguard, one
from store_safeguards import STORES

LAZY_JOURNAL = """

class _Lazy:
    def __init__(self, term: Term) -> None:
        self._term, self._header = term, b""

    def __getattr__(self, name: str) -> object:
        return getattr(self._term, name)

    def start(self, header: bytes) -> None:
        self._header = header

    def append(self, data: bytes) -> None:
        if self._header:
            self._term.start(self._header)
        self._header = b""
        self._term.append(data)


class JournalLedger:
"""
KILLED = "tests/integration/test_end_to_end.py::test_a_killed_apply_makes_nothing_twice_and_loses_no_secret"
POWER = "tests/reliability/test_power_cut.py::test_a_power_cut_at_any_moment_loses_nothing"
NETWORK = "tests/reliability/test_network.py::"
KEPT = "tests/reliability/test_kept_connections.py::"
STRANGE = "tests/reliability/test_strange.py::"
DISK = "tests/reliability/test_disk.py::"
FAULTS = "tests/integration/test_faults.py::"
FORGE = "tests/integration/test_forge.py::"
WRONG = "tests/reliability/test_wrong_places.py::"
WAYS = "tests/unit/api/test_ways_to_the_api.py::"
GATE = "tests/unit/applying/test_throttle.py::"
FILE = "tests/integration/test_hostile_files.py::"
REDACTED = "tests/unit/core/test_redaction.py::"
SHOWN = "tests/integration/test_hostile_output.py::"
TAMPERED = "tests/integration/test_hostile_state.py::"
FORGED = "tests/integration/test_tampered_secrets.py::"
ENCRYPTED = "tests/integration/test_encryption.py::TestRecipients::"
SOURCES = "tests/unit/planning/test_sources.py::"
SIGNATURE = "tests/integration/test_receivers.py::TestSignature::"

CALLS = (
    one(
        "the intent is written down before the call",
        f"{KILLED}[outcome-buffered]",
        "applying/create.py",
        "        record_intent(self.ledger, intent, log)\n",
        "",
    ),
    one(
        "the tool generates the secret and sends it",
        f"{FAULTS}test_a_lost_answer_is_settled_by_name_url_and_events_where_secrets_are_masked",
        "applying/create.py",
        "        if self.server_secrets:\n",
        "        if True:\n",
    ),
    one(
        "a secret in a response never replaces the one that was sent",
        f"{STRANGE}test_a_secret_that_the_server_changed_is_told_and_does_not_replace_the_one_that_was_sent",
        "applying/matching.py",
        "    if secret is None and live.secret is not None:\n",
        "    if live.secret is not None:\n",
    ),
    one(
        "a response counts only with the name or the secret that was sent, and a new id",
        f"{STRANGE}test_an_answer_with_another_webhook_is_not_believed",
        "applying/create.py",
        "        mismatch = self._mismatch(answer.live, webhook, secret)\n",
        "        mismatch = None\n",
    ),
    one(
        "how far a request got is known from the connection",
        f"{NETWORK}test_the_same_cut_after_the_first_byte_of_the_request_is_unknown_and_never_sent_again",
        "api/connection.py",
        "            trace.sent = True\n",
        "",
    ),
    one(
        "a TLS handshake or a proxy tunnel does not count as a request",
        f"{NETWORK}test_a_proxy_that_refuses_the_tunnel_gets_no_key_and_nothing_was_made",
        "api/connection.py",
        "if not self._connecting and trace is not None",
        "if trace is not None",
    ),
    one(
        "the libraries retry nothing",
        f"{NETWORK}test_the_same_cut_after_the_first_byte_of_the_request_is_unknown_and_never_sent_again",
        "api/connection.py",
        "urllib3.Retry(0, read=False)",
        "urllib3.Retry(3, allowed_methods=None)",
    ),
    one(
        "no redirect is followed",
        f"{NETWORK}test_a_redirect_is_not_followed_and_unknown_whatever_the_server_did",
        "api/transport.py",
        "                with adapter.send(",
        "                session = requests.Session()\n"
        "                session.mount('http://', adapter)\n"
        "                with session.send(",
    ),
    one(
        "a redirect after a create leaves the outcome open",
        f"{FAULTS}test_a_redirect_after_a_create_that_happened_keeps_its_secret",
        "api/client.py",
        "    if 300 <= status < 400:\n",
        "    if 300 <= status < 400:\n        return Failed(code, message, status)\n    if status == 999:\n",
    ),
    one(
        "a conflict after a create leaves the outcome open",
        "tests/integration/test_docs.py::test_a_conflict_that_made_the_webhook_keeps_its_secret",
        "api/client.py",
        "status not in (408, 409)",
        "status not in (408,)",
    ),
    one(
        "a call has a total deadline",
        f"{NETWORK}test_a_dripping_answer_ends_at_the_total_deadline",
        "api/transport.py",
        "            self._deadlines.watch(trace)\n",
        "",
    ),
    one(
        "a response has a size limit",
        f"{NETWORK}test_a_body_without_end_is_read_to_the_limit_only",
        "api/transport.py",
        "        if size > MAX_BODY:\n",
        "        if size > MAX_BODY * 1000:\n",
    ),
    one(
        "no response is decompressed",
        f"{NETWORK}test_a_gzip_bomb_is_never_unpacked",
        "api/transport.py",
        "decode_content=False",
        "decode_content=True",
    ),
    one(
        "no .netrc is read",
        f"{NETWORK}test_a_netrc_of_the_user_adds_nothing_to_the_request",
        "api/transport.py",
        "_prepared(method, url, headers, body)",
        "requests.Session().prepare_request(requests.Request(method, url, headers, data=body))",
    ),
    one(
        "an unsolicited response is not taken for the response to the next call",
        f"{KEPT}test_an_answer_that_nobody_asked_for_is_not_taken_for_that_of_the_next_call[https]",
        "api/connection.py",
        "pending is not None and pending() == 0",
        "True",
    ),
    one(
        "an idle connection is not used again",
        f"{KEPT}test_a_connection_that_the_server_may_be_about_to_close_takes_no_call[http]",
        "api/connection.py",
        "time.monotonic() - self._answered_at < MOST_IDLE_S and ",
        "",
    ),
    one(
        "no cookie is kept",
        f"{NETWORK}test_a_cookie_is_not_sent_back",
        "api/transport.py",
        "                request = _prepared(method, url, headers, body)\n"
        "                adapter, proxies = self._connections(url)\n"
        "                with adapter.send(",
        "                session = self.__dict__.setdefault('session', requests.Session())\n"
        "                request = session.prepare_request(requests.Request(method, url, headers, data=body))\n"
        "                adapter, proxies = self._connections(url)\n"
        "                with session.send(",
    ),
    one(
        "a key with a line break or a space is refused",
        "tests/unit/api/test_api.py::test_refused_arguments",
        "api/client.py",
        "    if not visible(text):\n",
        "    if not text:\n",
    ),
    one(
        "Retry-After is obeyed for 60 seconds at most",
        "tests/unit/api/test_api.py::test_retry_after",
        "api/retry.py",
        "return min(MAX_PAUSE_S, float(text))",
        "return float(text)",
    ),
    one(
        "a 429 makes all workers wait",
        f"{NETWORK}test_a_rate_limit_that_one_worker_meets_is_waited_out_by_all",
        "api/sender.py",
        "        self.pause.extend(delay, left_s)\n",
        "        self._sleep(delay, 'alone', attempts)\n",
    ),
    one(
        "waits between retries have full jitter",
        f"{NETWORK}test_the_wait_between_tries_is_drawn_from_nothing_up_to_a_bound_that_doubles",
        "api/retry.py",
        "return rng.below(",
        "return (",
    ),
    one(
        "a create that did not reach the API is retried for two minutes at most",
        "tests/unit/api/test_api.py::test_unreachable",
        "api/sender.py",
        "error.lasting or delay >= left_s:\n",
        "error.lasting or attempts.number > 1000:\n",
    ),
    one(
        "each retry is recorded before it is sent",
        "tests/unit/api/test_api.py::test_unreachable",
        "api/sender.py",
        "            if attempts.number or delayed:\n",
        "            if False:\n",
    ),
    one(
        "a first attempt that had to wait is dated when it is sent",
        "tests/unit/api/test_api.py::test_a_first_try_that_had_to_wait_is_noted_with_its_own_time",
        "api/sender.py",
        "if attempts.number or delayed:",
        "if attempts.number:",
    ),
    one(
        "a webhook that an unresolved create may have made is not imported without its secret",
        f"{STRANGE}TestByHand::test_an_attempt_that_expired_is_not_adopted_over_for_its_secret_would_go",
        "applying/adopt.py",
        "    if any(intent.action is ActionKind.CREATE for intent in state.pending.get(name, ())):\n",
        "    if name in state.unresolved():\n",
    ),
    one(
        "a refused key stops the run",
        f"{FAULTS}test_a_key_that_is_refused_in_the_middle_stops_the_run",
        "api/client.py",
        "stops_run=status in (401, 403)",
        "stops_run=False",
    ),
    one(
        "no more calls are in flight than --parallelism allows",
        f"{GATE}test_so_many_calls_go_out_and_the_next_ones_are_on_disk_already[3-2]",
        "applying/executor.py",
        "slots or threading.Semaphore(settings.parallelism)",
        "slots or threading.Semaphore(settings.parallelism + 1)",
    ),
    one(
        "with one call at a time, each create waits for the record of the one before",
        f"{GATE}test_so_many_calls_go_out_and_the_next_ones_are_on_disk_already[1-0]",
        "applying/settings.py",
        "min(PREPARED_AHEAD, self.parallelism - 1)",
        "PREPARED_AHEAD",
    ),
    one(
        "a prepared call is not sent once the run is stopped",
        f"{GATE}test_what_was_ready_is_not_sent_once_the_key_is_refused",
        "applying/throttle.py",
        "            if self.stop_reason.stopped:\n",
        "            if False:\n",
    ),
    one(
        "a prepared call is not sent once nothing can be recorded",
        f"{GATE}test_what_was_ready_is_not_sent_once_nothing_can_be_recorded_any_more",
        "applying/running.py",
        '            self.stop_reason.set(Failed(FailureCode.STOPPED, "an outcome could not be recorded"))\n'
        "            raise\n",
        "            raise\n",
    ),
    one(
        "--resend-after counts from the moment the call is sent",
        f"{GATE}test_an_intent_that_waited_for_long_is_dated_by_its_call",
        "applying/throttle.py",
        "            if self.clock.monotonic() - came > LONG_S:\n",
        "            if False:\n",
    ),
    one(
        "a response from another workspace stops the run",
        f"{STRANGE}test_a_create_that_is_answered_from_another_workspace_is_recorded_and_stops_the_run",
        "applying/running.py",
        "            self.stop_reason.set(Failed(misplaced.code, misplaced.message))\n",
        "            pass\n",
    ),
    one(
        "a signal lets the calls in flight finish",
        f"{DISK}test_a_signal_between_call_and_record_lets_it_be_recorded",
        "cli/signals.py",
        "    with handled(handle):\n",
        "    if True:\n",
    ),
)
SETTLING = (
    one(
        "an unknown outcome is resolved in the same run",
        "tests/integration/test_end_to_end.py::test_a_create_whose_answer_is_lost_is_found_in_the_list",
        "applying/executor.py",
        "        self._resolve(findings)\n",
        "",
    ),
    one(
        "what a killed run left behind is resolved first",
        f"{KILLED}[outcome-buffered]",
        "app/run.py",
        "            executor.resolve_earlier()\n",
        "",
    ),
    one(
        "a create without a trace is not sent again before --resend-after",
        "tests/integration/test_end_to_end.py::test_a_server_error_is_never_answered_by_a_second_post",
        "applying/resolving.py",
        "> resend_after_s:\n",
        "> -1.0:\n",
    ),
    one(
        "a clock that was set back makes no attempt old",
        f"{STRANGE}TestTheClock::test_a_clock_that_went_back_makes_no_attempt_old",
        "applying/resolving.py",
        "max(0.0, now - max(intent.sent_at for intent in intents))",
        "abs(now - max(intent.sent_at for intent in intents))",
    ),
    one(
        "a possible duplicate from before the call is never taken for its webhook",
        f"{STRANGE}test_a_possible_duplicate_that_was_there_before_is_never_taken_for_the_lost_create",
        "applying/matching.py",
        " if candidate.id not in intent.seen else _Fit.NONE",
        "",
    ),
    one(
        "of several matches none is taken",
        f"{STRANGE}TestAListThatLies::test_two_that_fit_one_attempt_stay_unresolved_and_are_told_by_hand",
        "applying/matching.py",
        "    if len(found) == 1:\n",
        "    if found:\n",
    ),
    one(
        "a generated secret identifies its webhook under any name",
        f"{STRANGE}TestAnotherName::test_a_lost_answer_is_settled_by_the_secret_where_the_list_shows_it_and_never_doubled",
        "applying/matching.py",
        "generated = intent.secret.origin is SecretOrigin.GENERATED",
        "generated = False",
    ),
    one(
        "nothing is resolved from the list of another workspace",
        f"{STRANGE}TestAnotherWorkspace::test_a_lost_create_is_not_settled_from_its_list",
        "applying/live_list.py",
        "        self.guard.check_list(live)\n",
        "",
    ),
    one(
        "no record is forgotten for a 404 from another workspace",
        f"{STRANGE}TestAnotherWorkspace",
        "applying/workspace.py",
        "        if other is not None:\n",
        "        if False:\n",
    ),
    one(
        "nothing is created with the key of another workspace",
        "tests/integration/test_beyond_create.py::TestWhatGoesWrongTogether::test_the_key_of_another_workspace_changes_nothing",
        "applying/live_list.py",
        "        self.guard.check_list(live)\n",
        "",
    ),
    one(
        "until a response has shown the workspace, creates go one at a time",
        f"{WRONG}TestTheKeyOfAnotherWorkspace::test_one_create_tells_and_the_advice_leads_back",
        "applying/running.py",
        "        while not self.guard.confirmed and not self.stop_reason.stopped:\n",
        "        while False:\n",
    ),
    one(
        "an API that names the workspaces of a key is asked before the first create",
        f"{WRONG}TestTheKeyOfAnotherWorkspace::test_it_is_refused_before_any_call_where_the_api_names_its_workspace",
        "applying/preflight.py",
        "        self.live_list.guard.check_key(self.api)\n",
        "",
    ),
    one(
        "the configured id of a workspace is not compared with the observed one",
        f"{WRONG}TestTwoFormsOfOneWorkspacesId",
        "applying/workspace.py",
        "        self._known = None if state is None or state.empty else state.observed_workspace_id\n",
        "        self._known = configured\n",
    ),
    one(
        "ids of workspaces of different forms are not compared",
        f"{WRONG}TestTheKeyOfAnotherWorkspace::test_ids_of_another_form_tell_nothing",
        "applying/workspace.py",
        "any(_form(other) != form for other in reached)",
        "False",
    ),
    one(
        "a 404 for the list means a wrong address unless --no-list is given",
        f"{WRONG}TestTheAddress::test_one_that_ends_with_v1_is_named_and_nothing_is_sent",
        "applying/live_list.py",
        "    if error.status == 404 and not no_list:\n",
        "    if False:\n",
    ),
    one(
        "if a list that once worked is gone, nothing is created",
        f"{WRONG}TestTheAddress::test_a_list_that_once_worked_must_work",
        "applying/live_list.py",
        "    if worked:\n",
        "    if False:\n",
    ),
    one(
        "a webhook with a creation time outside the window is not taken for a lost create",
        f"{WRONG}TestTheWindow::test_a_webhook_that_was_created_at_another_time_is_not_taken",
        "applying/matching.py",
        "    return _Fit.MADE if in_time else _Fit.OTHER_TIME\n",
        "    return _Fit.MADE\n",
    ),
    one(
        "calls are dated by SendKit's clock",
        f"{WRONG}TestTheWindow::test_the_time_is_that_of_sendkit",
        "api/server_clock.py",
        "return self._clock.now() + self._offset_s",
        "return self._clock.now()",
    ),
    one(
        "the window for a lost create begins with its first attempt",
        f"{WRONG}TestTheWindow::test_a_call_that_was_repeated_is_looked_for_from_its_first_attempt_on",
        "applying/matching.py",
        "intent.since - MARGIN_S",
        "intent.sent_at - MARGIN_S",
    ),
    one(
        "one reading of the list never both expires a create and sends it again",
        f"{WRONG}TestLists::test_one_that_let_a_create_expire_is_not_the_one_that_lets_it_be_sent_again",
        "applying/resolving.py",
        "        self.live_list.expire()\n",
        "",
    ),
    one(
        "a create that a firewall blocked is dropped only after a look at the list",
        f"{WRONG}test_a_firewall_that_blocks_a_create_is_asked_by_the_list",
        "core/outcomes.py",
        "FAILS_UNLESS_LIVE = (FailureCode.CONFLICT, FailureCode.REDIRECT, FailureCode.NOT_THE_API)",
        "FAILS_UNLESS_LIVE = (FailureCode.CONFLICT, FailureCode.REDIRECT)",
    ),
    one(
        "a live webhook with its name keeps an attempt from expiring",
        "tests/reliability/test_settling.py::test_a_webhook_of_that_name_and_another_secret_leaves_the_attempt_unresolved",
        "applying/resolving.py",
        " if name not in in_use]",
        "]",
    ),
    one(
        "if several attempts may have made a webhook, the secrets of all are kept",
        "tests/integration/test_encryption.py::TestSeveralAttempts::test_all_that_may_be_in_force_are_kept",
        "applying/resolving.py",
        "        others = () if match.proved else other_secrets(intents, match.intent)\n",
        "        others = ()\n",
    ),
    one(
        "a duplicate of a webhook that the run created is reported",
        "tests/reliability/test_settling.py::test_duplicates_of_what_a_run_made_are_told_by_their_id",
        "applying/executor.py",
        "            duplicates=duplicates,\n",
        "",
    ),
    one(
        "a possible duplicate blocks a create",
        "tests/integration/test_end_to_end.py::test_a_lost_state_is_stopped_by_the_possible_duplicate_guard",
        "applying/preflight.py",
        "            if blocker is None and found:\n",
        "            if False:\n",
    ),
    one(
        "an orphan with the same URL and events blocks a create",
        "tests/integration/test_end_to_end.py::test_a_rename_is_blocked_in_the_offline_plan",
        "applying/preflight.py",
        "            blocker = action.blocked_by\n",
        "            blocker = None\n",
    ),
    one(
        "both secrets of an unanswered update are kept",
        f"{WAYS}TestRepeating::test_what_refuses_a_repeated_update_says_nothing_of_the_attempt_before",
        "api/client.py",
        "        if reply.repeated and not isinstance(outcome, Succeeded):\n",
        "        if False:\n",
    ),
    one(
        "an update that is stopped between two attempts stays unknown",
        f"{WAYS}TestRepeating::test_a_stop_between_two_attempts_leaves_an_update_unknown",
        "api/client.py",
        "            if error.sent:\n                return Unknown(FailureCode.INTERRUPTED,",
        "            if False:\n                return Unknown(FailureCode.INTERRUPTED,",
    ),
    one(
        "a create is not repeated while its outcome is unknown",
        f"{WAYS}TestRepeating::test_an_update_is_repeated_and_a_create_is_not",
        "api/client.py",
        'Call("POST", "/v1/webhooks")',
        'Call("POST", "/v1/webhooks", repeat_if=_leaves_update_open)',
    ),
    one(
        "a firewall's page after a create leaves it unknown",
        f"{WAYS}TestFirewall::test_a_create_that_it_blocks_may_have_happened",
        "api/client.py",
        "    if status in (401, 403) and wire.is_foreign(reply.body):\n        return Unknown",
        "    if False:\n        return Unknown",
    ),
    one(
        "a firewall's page is not taken for a refused key",
        f"{WAYS}TestFirewall::test_its_page_is_no_refusal_of_the_key",
        "api/client.py",
        "        if reply.status in (401, 403) and wire.is_foreign(reply.body):\n",
        "        if False:\n",
    ),
    one(
        "--no-strict-ca still verifies certificates",
        f"{WAYS}TestCertificates::test_one_that_only_strict_checks_refuse_has_a_way_out_that_still_verifies",
        "api/connection.py",
        "        context.verify_flags &= ~ssl.VERIFY_X509_STRICT\n",
        "        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n",
    ),
    one(
        "a proxy's password is not shown",
        f"{WAYS}TestProxy::test_a_dead_one_is_named_with_its_variable_and_without_its_password",
        "api/route.py",
        'parts.netloc.rpartition("@")[2]',
        "parts.netloc",
    ),
    one(
        "a delete counts only if the response says that it is done",
        f"{NETWORK}test_a_delete_is_believed_only_where_the_answer_says_so",
        "api/client.py",
        "reply.status == 204 or ",
        "not reply.body.strip() or ",
    ),
    one(
        "a delete that answers 404 is checked with GET",
        "tests/integration/test_beyond_create.py::TestOrphans::test_a_server_without_delete_keeps_the_record",
        "applying/delete.py",
        "        if isinstance(answer, Succeeded):\n",
        "        if not isinstance(answer, Unknown):\n",
    ),
)
STATE = (
    one(
        "a new file is synced before it is renamed",
        POWER,
        "core/files.py",
        "        os.fsync(descriptor)\n    finally:\n        os.close(descriptor)\n\n\ndef replace_file",
        "    finally:\n        os.close(descriptor)\n\n\ndef replace_file",
    ),
    one("the journal is synced at each entry", POWER, "state/stores/file.py", "            _datasync(self._descriptor)\n", ""),
    one(
        "the folder is synced after the snapshot is renamed",
        POWER,
        "state/stores/file.py",
        "            Path(temporary).replace(path)\n            sync_folder(self._store.folder)\n",
        "            Path(temporary).replace(path)\n",
    ),
    one(
        "the folder is synced after the journal is created",
        POWER,
        "state/stores/file.py",
        "            _replace(path, header)\n            sync_folder(self._store.folder)\n",
        "            _replace(path, header)\n",
    ),
    one(
        "the first snapshot is written before the first journal",
        POWER,
        "state/snapshots.py",
        "        term.fold(encode_snapshot(state, None))\n",
        "",
    ),
    one(
        "a reader without the lock reads the snapshot again after the journal",
        "tests/unit/state/test_state.py::test_a_reader_without_the_lock_looks_at_the_snapshot_again_after_the_journal",
        "state/stores/file.py",
        "            if self._snapshot_is(snapshot):\n",
        "            if True:\n",
    ),
    one(
        "a failed write or sync stops the run",
        "tests/unit/state/test_state.py::test_failed_write_stops_the_ledger",
        "state/ledger.py",
        "        if self._failure is not None:\n            raise StateIOError(\n                ErrorCode.STATE_WRITE_FAILED,",
        "        if False:\n            raise StateIOError(\n                ErrorCode.STATE_WRITE_FAILED,",
    ),
    Safeguard(
        "before the first call, a write proves that the state is writable",
        f"{DISK}TestBeforeTheFirstCall::test_a_folder_that_takes_no_new_file",
        (
            ("state/ledger.py", "        self._term = term\n", "        self._term = term = _Lazy(term)\n"),
            ("state/ledger.py", "\n\nclass JournalLedger:\n", LAZY_JOURNAL),
        ),
    ),
    one(
        "before the first call, a test encryption proves that secrets can be stored",
        f"{DISK}TestBeforeTheFirstCall::test_a_sealing_key_that_does_not_seal",
        "secrets/age.py",
        "        self._prove()\n",
        "",
    ),
    one(
        "a deleted journal stops the run",
        f"{DISK}TestWhileCallsAreMade::test_a_deleted_lock_file_lets_another_run_in_and_the_first_stops",
        "state/stores/file.py",
        "return self._descriptor is None or os.fstat(self._descriptor).st_nlink > 0",
        "return True",
    ),
    one(
        "only one run holds the lock",
        "tests/unit/state/test_state.py::test_lock_names_its_holder",
        "state/stores/file_lock.py",
        "                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "                pass\n",
    ),
    one(
        "the lock lasts as long as any process holds it",
        f"{FAULTS}test_a_surviving_fork_of_the_holder_keeps_the_lock",
        "state/stores/file_lock.py",
        "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)",
    ),
    one(
        "a torn last line of the journal is dropped",
        "tests/unit/state/test_state.py::test_recovers_and_drops_a_torn_line",
        "state/journal.py",
        'raw.split(b"\\n")[:-1]',
        '[line for line in raw.split(b"\\n") if line]',
    ),
    one(
        "each line of the journal has a checksum",
        "tests/unit/state/test_state.py::test_damaged_line_names_its_number",
        "state/journal.py",
        'if body.pop("sum", None) != _checksum(body):',
        'if not body.pop("sum", None):',
    ),
    one(
        "a journal that was folded in is not replayed",
        "tests/unit/state/test_state.py::test_killed_anywhere_recovers",
        "state/journal.py",
        "    if header.journal == snapshot.journal:\n",
        "    if False:\n",
    ),
    one(
        "a journal belongs to one snapshot",
        "tests/unit/state/test_state.py::test_foreign_journal_and_api",
        "state/journal.py",
        "    if (header.lineage, header.base_serial) != (state.lineage, state.serial):\n",
        "    if False:\n",
    ),
    one(
        "a missing snapshot beside a journal is an error",
        "tests/reliability/test_damage.py::test_a_journal_without_its_snapshot_is_refused",
        "state/snapshots.py",
        "        if lines is not None:\n",
        "        if False:\n",
    ),
    one(
        "an empty snapshot is an error",
        "tests/reliability/test_damage.py::test_a_snapshot_cut_at_any_byte_is_refused",
        "state/codec.py",
        '        raise StateInvalidError(ErrorCode.STATE_EMPTY, "the state is empty", where=where, hint=RESTORE_HINT)\n',
        "        return Snapshot(State('l', 0, 'https://api.example'), None)\n",
    ),
    one(
        "a state belongs to one API address",
        "tests/reliability/test_addresses.py::test_a_state_that_holds_something_is_refused_at_another_address",
        "app/checks.py",
        "state is not None and not state.empty and state.api != context.address",
        "False",
    ),
    one(
        "the files are readable by their owner only",
        "tests/integration/test_end_to_end.py::test_state_is_private_and_leaves_no_journal",
        "core/files.py",
        "PRIVATE = 0o600",
        "PRIVATE = 0o644",
    ),
    one(
        "the previous snapshot is kept as a backup",
        "tests/unit/state/test_state.py::test_fold_backup_and_modes",
        "state/stores/file.py",
        "            if former is not None:\n",
        "            if False:\n",
    ),
    one(
        "a symbolic link is followed, not replaced",
        "tests/unit/state/test_state.py::test_symbolic_link_is_followed",
        "state/stores/file.py",
        "os.path.realpath(address)",
        "os.path.abspath(address)",
    ),
)
FORGES = (
    one(
        "a state that git ignores is refused before the first call",
        f"{FORGE}TestTake::test_it_is_refused[ignored]",
        "ci/record.py",
        'if git.out("check-ignore", "--", *files, may_fail=True):',
        "if False:",
    ),
    one(
        "a branch that cannot be pushed to is refused before the first call",
        f"{FORGE}TestTake::test_it_is_refused[no right to push]",
        "ci/record.py",
        'if not git.works("push", "--quiet", "--dry-run"',
        'if False and not git.works("push", "--quiet", "--dry-run"',
    ),
    one(
        "a state that was never committed is not overwritten by the branch's",
        f"{FORGE}TestTake::test_it_is_refused[left behind]",
        "ci/record.py",
        "if here[path] not in (",
        "if False and here[path] not in (",
    ),
    one(
        "a job uses the branch's latest state, whatever commit it runs for",
        f"{FORGE}TestRecord::test_the_last_state_is_taken_whatever_commit_the_job_is_for",
        "ci/record.py",
        "git.blobs(tip, files), git.hashed(files)",
        'git.blobs("HEAD", files), git.hashed(files)',
    ),
    one(
        "what another job recorded is not overwritten",
        f"{FORGE}TestRecord::test_what_somebody_else_recorded_is_never_overwritten",
        "ci/record.py",
        "if there != taken:",
        "if False:",
    ),
    one(
        "secrets in clear are not committed",
        f"{FORGE}TestRecord::test_secrets_in_clear_are_never_committed",
        "ci/record.py",
        "if state is not None and any(",
        "if False and any(",
    ),
    one(
        "a state that is gone is not removed from the branch",
        f"{FORGE}TestRecord::test_a_state_that_is_gone_is_never_removed_from_the_branch",
        "ci/record.py",
        "if taken[name] is not None and not",
        "if False and not",
    ),
    one(
        "a job does not use what an earlier job took",
        f"{FORGE}TestRecord::test_what_an_earlier_job_took_is_forgotten",
        "ci/record.py",
        "    git.note.unlink(missing_ok=True)\n",
        "",
    ),
    one(
        "a plan that was not shown is not applied",
        f"{FORGE}TestComment::test_one_that_somebody_else_made_is_neither_changed_nor_believed",
        "ci/__main__.py",
        "if not any(shows(text, plan, request.commit) for text in request.comments):",
        "if False:",
    ),
    one(
        "a comment by somebody else counts as no review",
        f"{FORGE}TestComment::test_one_that_somebody_else_made_is_neither_changed_nor_believed",
        "ci/github.py",
        'one["user"]["id"] == me and ',
        "",
    ),
    one(
        "the flags of a plan are part of what was reviewed",
        f"{FORGE}TestComment::test_a_plan_that_was_made_otherwise_is_another[--prune]",
        "ci/review.py",
        '"options": options, ',
        "",
    ),
    one(
        "a plan counts as reviewed for the commit that it was shown for",
        f"{FORGE}TestComment::test_a_plan_that_was_shown_for_an_earlier_commit_is_not_the_reviewed_one",
        "ci/review.py",
        "plan={digest} commit={commit} -->",
        "plan={digest} -->",
    ),
    one(
        "another recipient is reviewed like a change of a webhook",
        f"{FORGE}TestComment::test_another_recipient_is_to_be_reviewed",
        "ci/review.py",
        'recipients.get("added") or ',
        "",
    ),
    one(
        "the name of a state is never an option of git",
        f"{FORGE}TestTake::test_a_name_is_never_an_option_of_git[--stdin]",
        "ci/record.py",
        '"--no-filters", "--", path)',
        '"--no-filters", path)',
    ),
    one(
        "a name that git refuses is found before the first call",
        f"{FORGE}TestTake::test_it_is_refused[in .git]",
        "ci/record.py",
        '    git.commit(tip, dict.fromkeys(files, git.out("hash-object", "-w", "--stdin")))\n',
        "",
    ),
)
RECEIVERS = (
    one(
        "a secret of a type that would stand for zero bytes is refused",
        f"{SIGNATURE}test_a_secret_of_another_type_is_refused[bytearray inside]",
        "receivers.py",
        "        raise _wrong_type(key)\n",
        "        return bytes(key)\n",
    ),
    one(
        "the keys of a mapping are not taken for secrets",
        f"{SIGNATURE}test_a_secret_of_another_type_is_refused[mapping]",
        "receivers.py",
        ' or hasattr(secrets, "keys")',
        "",
    ),
    one(
        "a blank secret verifies nothing",
        f"{SIGNATURE}test_a_blank_secret_opens_nothing[zero bytes]",
        "receivers.py",
        '.replace("\\0", "").strip()',
        "",
    ),
    one(
        "signatures are compared in constant time",
        f"{SIGNATURE}test_all_secrets_are_compared_whichever_fits",
        "receivers.py",
        'found |= hmac.compare_digest(offered, hmac.digest(key, body, "sha256").hex().encode())',
        'found = found or offered == hmac.digest(key, body, "sha256").hex().encode()',
    ),
)
FILES = (
    one(
        "a link in place of the lock file is not followed",
        f"{FILE}TestTheLock::test_a_link_in_its_place_is_not_followed[apply]",
        "core/files.py",
        "flags | _ALWAYS | (0 if follow else _NO_FOLLOW)",
        "flags | _ALWAYS",
    ),
    one(
        "a lock file of another user is left alone",
        f"{FILE}TestTheLock::test_a_file_of_somebody_else_is_left_alone",
        "state/stores/file_lock.py",
        "        _refuse_other_file(descriptor, path)\n",
        "",
    ),
    one(
        "a lock file is made private before it is written",
        f"{FILE}TestTheLock::test_it_is_closed_to_others_before_it_is_written",
        "state/stores/file_lock.py",
        "                os.fchmod(descriptor, PRIVATE)\n",
        "                pass\n",
    ),
    one(
        "a journal that is a link is not read",
        f"{FILE}TestBesideTheState::test_a_journal_that_is_a_link_is_not_read",
        "state/stores/file.py",
        "            journal = _read(self.journal_address, follow=False)\n",
        "            journal = _read(self.journal_address, follow=True)\n",
    ),
    one(
        "a link in place of a temporary file is removed, not followed",
        f"{FILE}TestBesideTheState::test_a_link_where_a_file_is_written_is_not_followed[link-.tmp]",
        "core/files.py",
        "    Path(path).unlink(missing_ok=True)\n    descriptor = os.open(path, "
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL | _ALWAYS | _NO_FOLLOW, mode)",
        "    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _ALWAYS, mode)",
    ),
    one(
        "a device or a FIFO is not read",
        f"{FILE}TestTheState::test_nothing_but_a_regular_file_is_read[plan-link-to-zero]",
        "core/files.py",
        "    if not stat.S_ISREG(os.fstat(descriptor).st_mode):\n        os.close(descriptor)\n        raise",
        "    if not stat.S_ISREG(os.fstat(descriptor).st_mode):\n        return os.open('/dev/null', flags)\n        raise",
    ),
    one(
        "an output replaces a regular file only",
        f"{FILE}test_an_output_goes_to_a_regular_file_only[--out-pipe]",
        "core/files.py",
        "    check_regular(path)\n    temporary",
        "    temporary",
    ),
    one(
        "a huge state is not read",
        f"{FILE}TestTheState::test_a_huge_one_is_not_read[.journal]",
        "core/files.py",
        "        if os.fstat(file.fileno()).st_size > limit_bytes:\n",
        "        if False:\n",
    ),
)
SECRETS = (
    one(
        "an earlier attempt's secret is sent only if the plan says so",
        f"{SOURCES}test_a_secret_of_the_state_that_the_plan_did_not_show_is_not_sent[an attempt to create it]",
        "applying/create.py",
        "        if source is SecretSource.ATTEMPT:\n",
        "        if True:\n",
    ),
    one(
        "a recorded secret is sent again only if the plan says so",
        f"{SOURCES}test_a_secret_of_the_state_that_the_plan_did_not_show_is_not_sent[the record]",
        "applying/create.py",
        "        elif source is SecretSource.RECORDED and former",
        "        elif former",
    ),
    one(
        "a rotation's secret is sent again only if the plan says so",
        f"{SOURCES}test_an_unanswered_rotation_that_the_plan_did_not_show_is_not_sent",
        "applying/update.py",
        " if action.secret_source is SecretSource.ATTEMPT else None",
        "",
    ),
    one(
        "a plan shows that a secret comes from an earlier attempt",
        f"{SOURCES}test_a_plan_says_where_a_secret_comes_from[tried before]",
        "planning/sources.py",
        "        return SecretSource.ATTEMPT\n    if gone",
        "        return SecretSource.GENERATED\n    if gone",
    ),
)
REDACTION = (
    one(
        "part of a secret is redacted",
        f"{REDACTED}test_nothing_of_a_secret_is_left[all but the last character]",
        "core/redaction.py",
        "            yield from ((places[start], places[stop - 1] + 1) for start, stop in self._runs(squeezed))\n",
        "",
    ),
    one(
        "a secret is redacted in any case",
        f"{REDACTED}test_nothing_of_a_secret_is_left[upper case]",
        "core/redaction.py",
        '    squeezed = "".join(chars).lower()\n',
        '    squeezed = "".join(chars)\n',
    ),
    one(
        "a secret inside longer base64 is redacted",
        f"{REDACTED}test_nothing_of_a_secret_is_left[base64 behind a letter]",
        "core/redaction.py",
        "    for start in range(4):\n",
        "    for start in range(1):\n",
    ),
    one(
        "a secret at the cut of a long message is redacted",
        f"{REDACTED}test_a_secret_at_the_cut_is_redacted_like_any_other",
        "core/redaction.py",
        "text[: limit + 2 * self._longest + 128]",
        "text[:limit]",
    ),
    one(
        "a server's message is shortened before it is redacted",
        "tests/unit/api/test_api.py::test_a_long_message_costs_no_more_than_a_short_one",
        "api/client.py",
        "self._redactor.clean(text, 4 * MAX_MESSAGE)",
        "self._redactor.clean(text)",
    ),
    one(
        "an endless list is read up to a limit",
        "tests/unit/api/test_api.py::test_a_list_without_an_end_is_read_to_a_limit[MAX_LIST_BYTES]",
        "api/client.py",
        " or size > MAX_LIST_BYTES",
        "",
    ),
)
OUTPUT = (
    one(
        "text from a server never becomes a CI runner command",
        f"{SHOWN}test_an_exported_config_commands_nothing_and_keeps_the_names",
        "core/diagnostics.py",
        "    return _COMMAND.sub(",
        "    return text or _COMMAND.sub(",
    ),
    one(
        "invisible characters are escaped",
        "tests/unit/core/test_diagnostics.py::test_what_nobody_sees_is_escaped[a Hangul filler]",
        "core/diagnostics.py",
        " or _SHAPELESS.search(head)",
        "",
    ),
    one(
        "a message that quotes a line break stays on one line",
        f"{SHOWN}test_a_failure_that_quotes_a_name_is_one_line",
        "cli/output/messages.py",
        "return printable(REDACTOR.clean(message.expandtabs(4)), LONGEST)",
        "return REDACTOR.clean(message.expandtabs(4))",
    ),
    one(
        "JSON output never becomes a CI runner command",
        f"{SHOWN}test_what_is_recorded_commands_nothing",
        "render/json.py",
        "inert_json(json.dumps(document, indent=2))",
        "json.dumps(document, indent=2)",
    ),
    one(
        "an exported config is redacted",
        f"{SHOWN}test_a_secret_is_not_shown_by_what_a_server_lists",
        "cli/commands/export.py",
        "REDACTOR.clean(export(context, workspace))",
        "export(context, workspace)",
    ),
)
BY_ID = "tests/integration/test_adopt_by_id.py::"
ADOPTIONS = (
    one(
        "an entry with an id is never created",
        f"{BY_ID}test_a_webhook_that_is_not_there_is_an_error_and_never_a_create[apply]",
        "app/adoption.py",
        "        if live is None:\n",
        "        if live is None:\n            continue\n        if False:\n",
    ),
    one(
        "an adopted webhook that is gone is not created again",
        f"{BY_ID}test_one_that_is_gone_later_is_not_created_again",
        "planning/planner.py",
        "        if gone is not None and webhook.id == gone.id:\n",
        "        if False:\n",
    ),
    one(
        "an id is not adopted beside an unresolved create that may have made it",
        f"{BY_ID}test_an_unresolved_create_that_may_have_made_it_is_resolved_first[Same place]",
        "app/adoption.py",
        "    for name in state.unresolved() if owner is None else ():\n",
        "    for name in ():\n",
    ),
)
LIFE = "tests/integration/test_secret_life.py::"
CHECKS = "tests/integration/test_secret_checks.py::"
LIVES = (
    one(
        "a webhook is created with the secret that was staged for it",
        f"{LIFE}test_a_new_webhook_is_created_with_the_secret_that_was_staged_for_it",
        "planning/sources.py",
        "    if gone is None and webhook.name in state.staged:\n",
        "    if False:\n",
    ),
    one(
        "who cannot read a staged secret sends none",
        f"{LIFE}test_who_cannot_read_a_staged_secret_sends_none_and_draws_no_other",
        "applying/create.py",
        "        if source is SecretSource.STAGED and secret is None:\n",
        "        if False:\n",
    ),
    one(
        "a staged secret is not replaced by another one",
        f"{LIFE}test_staging_twice_is_refused_and_keeps_the_first",
        "app/stage.py",
        "    if name in state.staged:\n",
        "    if False:\n",
    ),
    one(
        "a rotation does not overtake a staged secret",
        f"{LIFE}test_staging_twice_is_refused_and_keeps_the_first",
        "app/rotate.py",
        "    if not staged and waiting is not None and not sent:\n",
        "    if False:\n",
    ),
    one(
        "a staged secret that was sent is not discarded",
        f"{LIFE}test_an_activation_without_an_answer_keeps_both_and_is_finished_by_the_next",
        "app/stage.py",
        "        if any(staged.same_as(intent.secret) for intent in state.intents()):\n",
        "        if False:\n",
    ),
    one(
        "nothing is retired while it is not known which secret is in force",
        f"{LIFE}test_an_activation_without_an_answer_keeps_both_and_is_finished_by_the_next",
        "app/stage.py",
        "        if record.candidate_secrets or state.updates_of(record.id):\n",
        "        if False:\n",
    ),
    one(
        "a staged secret stays until it is in force",
        "tests/reliability/test_no_lost_delivery.py::test_staged_first_no_delivery_is_refused[2]",
        "state/journal.py",
        "        if staged is not None and not staged.same_as(recorded.secret):\n",
        "        if staged is not None:\n",
    ),
    one(
        "what loses a secret asks first",
        f"{LIFE}test_what_loses_a_secret_asks_first[command0]",
        "app/stage.py",
        "    if not approve(question):\n",
        "    if False:\n",
    ),
    one(
        "imported secrets replace no recorded one",
        f"{CHECKS}TestImport::test_one_that_differs_from_the_recorded_one_keeps_all_as_they_are",
        "app/import_secrets.py",
        "    if others:\n",
        "    if False:\n",
    ),
    one(
        "a signed delivery leaves the machine only after a question",
        f"{CHECKS}TestTrigger::test_off_loopback_it_asks_before_anything_is_sent",
        "app/trigger.py",
        "    if not _is_loopback(host) and not approve(question):\n",
        "    if False:\n",
    ),
)
HOSTILE = (
    one(
        "the secret of an update that nobody is known to have written is not sent",
        f"{FORGED}TestWithTheIdentity::test_the_secret_of_a_forged_update_is_not_sent",
        "applying/update.py",
        "        proved = staged is None or not staged.same_as(stored)\n",
        "        proved = False\n",
    ),
    one(
        "the secret of an attempt that nobody is known to have written is not sent",
        f"{FORGED}TestWithTheIdentity::test_the_secret_of_a_forged_attempt_is_not_sent",
        "applying/create.py",
        "proved=source is SecretSource.ATTEMPT",
        "proved=False",
    ),
    one(
        "a proof belongs to one value",
        f"{FORGED}TestWithTheIdentity::test_a_proof_of_another_value_proves_nothing",
        "secrets/age.py",
        '_PROVED = ("api", "lineage", "name", "secret")',
        '_PROVED = ("api", "lineage", "name")',
    ),
    one(
        "whom new secrets are encrypted for is not hidden by a plan without changes",
        f"{ENCRYPTED}test_an_added_one_is_not_hidden_by_no_changes",
        "render/words.py",
        "    if not (found.changed or plan.actions):\n",
        "    if not plan.actions:\n",
    ),
    one(
        "a state that names no recipients makes all of them new",
        f"{ENCRYPTED}test_a_state_that_does_not_name_them_makes_all_of_them_new",
        "planning/plan.py",
        "        if state is None or state.empty:\n            return cls(listed)\n        added",
        "        if state is None or state.empty or not state.recipients:\n            return cls(listed)\n        added",
    ),
    one(
        "a plan names at its top the secrets that come from the state",
        "tests/unit/planning/test_scenarios.py::test_plan_is_as_expected[secrets-from-state-text]",
        "render/words.py",
        "            from_state,\n            True,\n            first=True,\n",
        "            from_state,\n            True,\n",
    ),
    one(
        "encrypting what was in clear proves nothing",
        f"{FORGED}TestWithTheIdentity::test_what_was_in_clear_is_not_proved_by_being_encrypted",
        "app/rekey.py",
        "secret is not None and not self.clear_only",
        "secret is not None",
    ),
    one(
        "encrypting again proves nothing that was not proved",
        f"{FORGED}TestWithTheIdentity::test_what_was_forged_is_not_proved_by_a_rekey",
        "app/rekey.py",
        "stored.origin, proved=proved)",
        "stored.origin)",
    ),
    one(
        "a secret is sent under no former name that the state alone tells",
        f"{FORGED}TestWithTheIdentity::test_a_secret_of_another_webhook_is_not_sent_under_a_former_name",
        "applying/create.py",
        "filter(None, (webhook.name, replaces, webhook.renamed_from))",
        "filter(None, (webhook.name, *(former.former_names if former else ())))",
    ),
    one(
        "a secret that stands at two webhooks is not handed on",
        f"{FORGED}test_a_secret_that_stands_at_two_webhooks_is_not_handed_on",
        "app/secrets.py",
        "            if webhook_id != record.id:\n",
        "            if False:\n",
    ),
    one(
        "an encrypted value belongs to one state",
        f"{FORGED}test_a_value_from_elsewhere_is_found_out[lineage]",
        "secrets/age.py",
        'about = {"lineage": self._about["lineage"], **inside}',
        "about = {**inside, **self._about}",
    ),
    one(
        "an encrypted value fits its fingerprint",
        f"{FORGED}test_a_value_from_elsewhere_is_found_out[secret]",
        "secrets/age.py",
        "if not same_place or not stored.matches(secret):",
        "if not same_place:",
    ),
    one(
        "secrets in clear are refused where encryption is on",
        f"{FORGED}test_a_secret_in_clear_is_refused_where_encryption_is_on[a record]",
        "app/checks.py",
        "    if config.recipients and not encrypts and any(",
        "    if False and any(",
    ),
    one(
        "what git could not be asked about is refused in CI",
        "tests/integration/test_git_guard.py::test_in_ci_what_git_could_not_be_asked_about_is_refused[no git]",
        "app/git_guard.py",
        "    if taken is not False and _in_ci(",
        "    if taken and _in_ci(",
    ),
    one(
        "an id from the state has the form of the API's ids",
        f"{TAMPERED}TestIds::test_of_a_record['.']",
        "state/codec.py",
        "    return text if WEBHOOK_ID.fullmatch(text) else",
        "    return text if text else",
    ),
    one(
        "numbers in the state are bounded",
        f"{TAMPERED}test_a_number_that_no_fold_could_write_is_refused_before_a_call[serial-4300 digits]",
        "state/node.py",
        "not 0 <= self.value <= MAX_COUNT:",
        "not 0 <= self.value:",
    ),
)
GROUPS = (
    ("Calls", CALLS),
    ("Resolving, and checks before a call", SETTLING),
    ("The state on disk", STATE),
    ("The state in git, and the plan that was reviewed", FORGES),
    ("States in stores", STORES),
    ("Files that are not what they seem", FILES),
    ("A secret's life", LIVES),
    ("Adopting by id", ADOPTIONS),
    ("Secrets, and where they come from", SECRETS),
    ("A tampered state", HOSTILE),
    ("Redaction", REDACTION),
    ("Output", OUTPUT),
    ("Signatures of deliveries", RECEIVERS),
)
SAFEGUARDS = tuple(safeguard for _, group in GROUPS for safeguard in group)


def table() -> str:
    """Return the safeguards and their cases as Markdown."""
    lines = [""]
    for title, group in GROUPS:
        lines += [f"**{title}**", "", "| safeguard | the case that fails without it |", "| --- | --- |"]
        lines += [f"| {safeguard.name} | `{safeguard.case.removeprefix('tests/')}` |" for safeguard in group]
        lines.append("")
    return "\n".join(lines) + "\n"
