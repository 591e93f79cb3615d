"""Encrypts secrets for the state, and exports them."""
