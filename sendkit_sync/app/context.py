"""What every use case needs: the config files, how to reach the API, an observer, and a stop event."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.model import Secret
from .events import Noted, Observer, Warned, ignore

DEFAULT_API_URL = "https://api.sendkit.ai"
DEFAULT_CONFIG = "webhooks.yaml"


@dataclass(frozen=True, slots=True)
class Source:
    """The config files, and the state if it is not the one they name."""

    configs: tuple[str, ...] = ()
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The environment of a use case.

    The API key is `api_key`, else the content of `api_key_file`, else `SENDKIT_API_KEY` in `environment`. `timeout_s` limits
    one API call; `retry_for_s` limits how long a call is retried that is known not to have reached the API. `without_list`:
    the server cannot list webhooks. Without `strict_ca`, CA certificates are accepted that only strict checks reject.
    `observer` gets events, some from other threads. Once `stop` is set, no new call starts.
    """

    api_url: str | None = None
    api_key: Secret | None = None
    api_key_file: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    timeout_s: float = 30.0
    retry_for_s: float = 120.0
    without_list: bool = False
    strict_ca: bool = True
    observer: Observer = ignore
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """The API base URL."""
        return self.api_url or DEFAULT_API_URL

    def warn(self, message: str, hint: str | None = None) -> None:
        """Report a warning."""
        self.observer(Warned(message, hint))

    def note(self, message: str) -> None:
        """Report a note."""
        self.observer(Noted(message))
