"""GaiaRouter: one address for every provider of language models.

`create_app` gives the gateway as an aiohttp application; the command line is `gaiarouter`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaiarouter.app import create_app

__version__ = "0.1.0"

__all__ = ["__version__", "create_app"]


def __getattr__(name: str) -> Any:
    """`create_app` on first use: `gaiarouter check` must not wait for the server's imports."""
    if name == "create_app":
        from gaiarouter.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
