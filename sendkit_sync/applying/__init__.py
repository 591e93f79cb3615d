"""Plan -> calls, and records of them. It knows the API, the ledger and the vault as protocols only."""
