"""What is recorded of the webhooks: a snapshot and a journal under a lock."""

from ..core.ports import JournalWriter, Store
from .ledger import JournalLedger, open_ledger, open_store, renew_backup
from .snapshots import read_state, read_store

__all__ = ["JournalLedger", "JournalWriter", "Store", "open_ledger", "open_store", "read_state", "read_store", "renew_backup"]
