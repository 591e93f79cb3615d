"""Entry for `python -m sendkit_sync`."""

from .cli.main import main

if __name__ == "__main__":
    main()
