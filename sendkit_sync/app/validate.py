"""The use case `validate`: checks the config files."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.diagnostics import Diagnostic, Severity
from ..core.errors import ConfigError
from .context import Context, Source
from .wiring import read_config


@dataclass(frozen=True, slots=True)
class Validation:
    """The problems of the config files, in order, and the number of webhooks if there are no errors."""

    diagnostics: tuple[Diagnostic, ...]
    webhooks: int

    @property
    def valid(self) -> bool:
        """Whether there are no errors. There may be warnings."""
        return not any(found.severity is Severity.ERROR for found in self.diagnostics)


def validate(context: Context, configs: tuple[str, ...] = ()) -> Validation:
    """Check the config files. Needs no API key, no network and no state."""
    try:
        config = read_config(context, Source(configs, state=""))
    except ConfigError as error:
        return Validation(error.diagnostics, 0)
    return Validation(config.warnings, len(config.webhooks))
