"""Two age identities, and configs encrypted for them."""

from __future__ import annotations

from typing import Any

import pytest

from support.workspace import TWO

pyrage = pytest.importorskip("pyrage", reason="the extra age is not installed")

IDENTITY, OTHER = (pyrage.x25519.Identity.generate() for _ in range(2))
READER = {"SOPS_AGE_KEY": f"# a comment\n{IDENTITY}\n"}


def encrypted_config(*identities: Any, text: str = TWO) -> str:
    recipients = ", ".join(str(identity.to_public()) for identity in identities or (IDENTITY,))
    return text + f"encryption: {{age: {{recipients: [{recipients}]}}}}\n"
