"""What every command of the command line has: its help with examples, its file, and the kinds of values."""

from __future__ import annotations

import argparse
import os
import textwrap
from typing import TYPE_CHECKING

from gaiarouter.config.units import parse_duration, parse_rate

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_command(commands: Commands, name: str, help_: str, description: str, examples: str) -> argparse.ArgumentParser:
    lines = textwrap.indent(textwrap.dedent(examples).strip(), "  ")
    parser = commands.add_parser(
        name,
        help=help_,
        description=textwrap.fill(description, 100),
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=parser.prog.removeprefix("gaiarouter "))
    return parser


def add_group(commands: Commands, name: str, help_: str) -> Commands:
    """A command of several: `gaiarouter keys create`."""
    parser = commands.add_parser(name, help=help_, allow_abbrev=False)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default=os.environ.get("GAIAROUTER_CONFIG") or "gaiarouter.yaml",
        help="the routing table (default: GAIAROUTER_CONFIG, then ./gaiarouter.yaml)",
    )


def rate(text: str) -> str:
    """Kept as text, once it is one."""
    try:
        if text != "unlimited":
            parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate, expected one such as 60/min, or unlimited") from error
    return text


def concurrent(text: str) -> int | str:
    return text if text == "unlimited" else whole(text, most=1_000_000, or_=", or unlimited")


def whole(text: str, *, most: int, or_: str = "") -> int:
    if text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1 to {most}{or_}")


def duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration, expected one such as 12h or 30d") from error


def budget(text: str) -> dict[str, object]:
    """`500/month` as the control plane takes it."""
    amount, _, period = text.partition("/")
    try:
        return {"amount_usd": float(amount), "period": period}
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no budget, expected dollars such as 500/month") from error
