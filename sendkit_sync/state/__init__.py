"""What is recorded of the webhooks: a snapshot and a journal in a store, under its lock."""

from .ledger import JournalLedger, open_ledger
from .snapshots import read_state, read_store
from .stores import open_store

__all__ = ["JournalLedger", "open_ledger", "open_store", "read_state", "read_store"]
