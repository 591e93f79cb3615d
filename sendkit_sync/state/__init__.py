"""What is recorded of the webhooks: a snapshot and a journal under a lock."""

from .ledger import FileLedger, open_ledger, read_state

__all__ = ["FileLedger", "open_ledger", "read_state"]
