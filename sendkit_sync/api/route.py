"""The way to the API that the environment asks for: through which proxy, trusting which certificates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, prepend_scheme_if_needed, select_proxy

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The variables that name the CA certificates to trust. The first one that is set wins."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one server.

    `proxies`: as `requests` takes them. `proxy`: the one in use and its variable, for messages, or None. `ca_path`: file
    or folder of the CA certificates to trust. `ca_variable`: the variable that names it, or None for the built-in ones.
    """

    proxies: Mapping[str, str]
    proxy: str | None
    ca_path: str
    ca_variable: str | None

    @classmethod
    def to(cls, url: str, environment: Mapping[str, str] = os.environ) -> Route:
        """Return the route to the server of `url`; raises `InvalidProxyURL`."""
        proxies = requests.Session().merge_environment_settings(url, {}, True, None, None)["proxies"]
        proxy = select_proxy(url, proxies)
        if not _has_host(proxy):
            raise requests.exceptions.InvalidProxyURL("the proxy address in the environment has no host")
        variable = next((name for name in CA_VARIABLES if environment.get(name)), None)
        path = DEFAULT_CA_BUNDLE_PATH if variable is None else environment[variable]
        return cls(dict(proxies), proxy and _shown(proxy, environment), path, variable)

    @property
    def trust(self) -> str:
        """The CA certificates that are trusted, for messages."""
        return f"{self.ca_variable}={self.ca_path}" if self.ca_variable else "the public CAs from certifi"


def _shown(proxy: str, environment: Mapping[str, str]) -> str:
    """Return the address of a proxy without its credentials, and the variable that it comes from."""
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host = parts.netloc.rpartition("@")[2]
    named = [name for name, value in environment.items() if name.lower().endswith("_proxy") and value == proxy]
    return f"{parts.scheme}://{host}" + (f" (from {sorted(named)[0]})" if named else "")


def _has_host(proxy: str | None) -> bool:
    """Return whether `proxy` has a host. `requests` raises `TypeError` for one like `http://user:password@`."""
    try:
        return proxy is None or bool(prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call,unused-ignore]
    except TypeError:
        return False
