"""JSON of the API to values: what is missing or of another type is left out, and never an error."""

from __future__ import annotations

import pytest

from sendkit_sync.api.wire import live_of
from sendkit_sync.core.model import DeliveryStats

ITEM = {"_id": "664a1b2c3d4e5f6a7b8c9d0e", "name": "N", "url": "https://a.example.com", "events": ["email.sent"]}


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        (
            {"totalDelivered": 5, "totalFailed": 2, "lastDeliveredAt": "2026-01-02T03:04:05.000Z"},
            DeliveryStats(5, 2, "2026-01-02T03:04:05.000Z"),
        ),
        ({"totalDelivered": 0, "totalFailed": 0, "lastDeliveredAt": None}, DeliveryStats(0, 0)),
        ({"totalDelivered": -1, "totalFailed": True, "lastDeliveredAt": 7}, DeliveryStats()),
        ({"totalDelivered": "5", "totalFailed": 1.5}, DeliveryStats()),
        ([], DeliveryStats()),
        (None, DeliveryStats()),
    ],
)
def test_delivery_stats_are_read_as_the_list_shows_them(stats: object, expected: DeliveryStats):
    live = live_of(ITEM | {"stats": stats})
    assert live is not None
    assert live.stats == expected


def test_two_reads_that_differ_in_their_stats_alone_are_equal():
    assert live_of(ITEM | {"stats": {"totalDelivered": 1}}) == live_of(ITEM | {"stats": {"totalDelivered": 2}})
