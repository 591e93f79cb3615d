"""Reads the config files into the desired webhooks, with a place for everything that is wrong."""

from .loader import Config, load_config

__all__ = ["Config", "load_config"]
