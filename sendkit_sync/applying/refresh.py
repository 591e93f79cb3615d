"""Reads the live webhooks for a plan. Sends nothing but GET."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from ..core.errors import NoEndpointError
from ..core.model import State
from ..planning.plan import LiveSide
from .live_list import FRESH_S, LiveList

log = logging.getLogger(__name__)


def read_live(live_list: LiveList, state: State | None, parallelism: int) -> LiveSide:
    """Return the live webhooks, and which recorded ones are gone: not in the list, and GET answers 404.

    Raises what `LiveList.read` and `Api.get` raise, and `RefusedError` for the key of another workspace.
    """
    api = live_list.api
    listed = live_list.read(FRESH_S)
    live_list.guard.check_key(api)
    by_id = {live.id: live for live in listed}
    unlisted = sorted(state.recorded_ids() - by_id.keys()) if state is not None else []
    try:
        with ThreadPoolExecutor(max_workers=parallelism) as pool:
            looked = dict(zip(unlisted, pool.map(api.get, unlisted), strict=True))
    except NoEndpointError as error:
        # Without its own GET, none of them is known to be gone.
        log.warning("%d recorded webhooks are not in the list and cannot be read: %s", len(unlisted), error.what)
        looked = {}
    by_id.update({webhook_id: live for webhook_id, live in looked.items() if live is not None})
    return LiveSide(by_id, frozenset(webhook_id for webhook_id, live in looked.items() if live is None))
