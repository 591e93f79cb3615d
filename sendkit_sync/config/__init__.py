"""Reads the config files into desired webhooks, and reports every problem with its place."""

from .loader import Config, load_config

__all__ = ["Config", "load_config"]
