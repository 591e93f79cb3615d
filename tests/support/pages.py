"""A page on loopback, and what a reader sees of it in a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from .browser import Tab


class Site:
    """Serves one page on loopback, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.html = ""
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                body = site.html.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    @classmethod
    @contextmanager
    def served(cls) -> Iterator[Self]:
        """Serve the page for as long as the block lasts."""
        site = cls()
        thread = threading.Thread(target=site.server.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.server.shutdown()
            thread.join()
            site.server.server_close()


def text(tab: Tab, selector: str) -> list[str]:
    """Return what a reader sees of each element."""
    shown: list[str] = tab.run(f"Array.from(document.querySelectorAll({selector!r}), one => one.innerText.trim())")
    return shown


def styles(tab: Tab, selector: str, name: str) -> set[str]:
    """Return the values that a style has on the elements."""
    return set(tab.run(f"Array.from(document.querySelectorAll({selector!r}), one => getComputedStyle(one)[{name!r}])"))


CONTRASTS = """Array.from(document.querySelectorAll('body *'))
  .filter(one => one instanceof HTMLElement && Array.from(one.childNodes).some(node => node.nodeType === 3 && node.data.trim()))
  .map(one => {
    let below = one;
    while (below.parentElement && getComputedStyle(below).backgroundColor === 'rgba(0, 0, 0, 0)') below = below.parentElement;
    return [one.tagName + '.' + one.className, getComputedStyle(one).color, getComputedStyle(below).backgroundColor];
  })"""
"""Each element with text of its own, its colour, and the colour it stands on."""


def luminance(colour: str) -> float:
    """Return how bright a color is, 0 to 1, as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    """Return the contrast as WCAG 2 counts it; 4.5 is what it asks for."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def contrasts(tab: Tab) -> list[tuple[str, str, str, float]]:
    """Return each element with text of its own, its color, the color it stands on, and the contrast of the two."""
    return [(name, one, other, _contrast(one, other)) for name, one, other in tab.run(CONTRASTS)]


def overflow(tab: Tab, width: int) -> int:
    """Return by how much the page is wider than a window of `width`."""
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    wide: int = tab.run("document.documentElement.scrollWidth")
    tab.call("Emulation.clearDeviceMetricsOverride")
    return max(0, wide - width)
