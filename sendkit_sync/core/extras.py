"""What the extras of the package bring, read from its metadata."""

from __future__ import annotations

from contextlib import suppress


def installing(extra: str) -> str:
    """Say how to install what an extra brings, by the names of its packages: `sendkit-sync` is on no public index."""
    from importlib.metadata import PackageNotFoundError, requires

    with suppress(PackageNotFoundError):
        needed = (line.partition(";") for line in requires("sendkit-sync") or ())
        names = [name.strip() for name, _, marker in needed if f'extra == "{extra}"' in marker.replace("'", '"')]
        return "Install it: pip install " + " ".join(f"'{name}'" for name in names)
    return f"Install sendkit-sync together with its extra: '.[{extra}]'."
