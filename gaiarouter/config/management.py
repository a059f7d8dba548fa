"""The words of `gaiarouter orgs|users|keys|audit`. What is not given is not in the namespace, so that a change changes
what it names and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gaiarouter.config.command import add_command, add_config, add_group, budget, concurrent, duration, rate

if TYPE_CHECKING:
    from gaiarouter.config.command import Commands

OPERATIONS: Final = {
    "orgs create": "post /v1/organizations",
    "orgs list": "get /v1/organizations",
    "orgs show": "get /v1/organizations/{id}",
    "orgs update": "patch /v1/organizations/{id}",
    "orgs delete": "delete /v1/organizations/{id}",
    "users create": "post /v1/users",
    "users list": "get /v1/users",
    "users show": "get /v1/users/{id}",
    "users update": "patch /v1/users/{id}",
    "users delete": "delete /v1/users/{id}",
    "keys create": "post /v1/api-keys",
    "keys show": "get /v1/api-keys/{id}",
    "keys update": "patch /v1/api-keys/{id}",
    "keys rotate": "post /v1/api-keys/{id}/rotate",
    "audit list": "get /v1/audit-log",
}
"""By command, the operation of the control plane that it is."""

Options = Callable[[argparse.ArgumentParser], None]
_PERMISSIONS = ("read", "write", "admin")


def add_management(commands: Commands) -> None:
    _add_organizations(commands)
    _add_users(commands)
    _add_keys(commands)
    _add_audit(commands)


def _add_organizations(commands: Commands) -> None:
    actions = add_group(commands, "orgs", "make, list, change and delete organizations")
    _add_made(actions, "orgs", "an organization", "name", _organization_options, "--name Acme --budget 500/month")
    _add_listing(actions, "orgs", "organizations", ("active", "suspended", "deleted"))
    _add_one(actions, "orgs", "org_4f0c", "an organization", _organization_options, "--status suspended")
    _add_ending(actions, "orgs", "org_4f0c", "delete", "Deletes an organization: its keys stop, its usage stays.")


def _add_users(commands: Commands) -> None:
    actions = add_group(commands, "users", "make, list, change and delete users, who may own keys")
    _add_made(actions, "users", "a user", "email", _user_options, "--organization org_4f0c --email ada@example.com")
    _add_listing(actions, "users", "users", ("active", "suspended", "deleted"))
    _add_one(actions, "users", "user_77ab", "a user", _user_options, "--role write")
    _add_ending(actions, "users", "user_77ab", "delete", "Deletes a user: the keys that it owns stop.")


def _add_keys(commands: Commands) -> None:
    actions = add_group(commands, "keys", "make, list, change, rotate and revoke callers' keys")
    _add_new_key(actions)
    listing = add_command(actions, "list", "list keys", "Lists all keys, the revoked too.", "gaiarouter keys list")
    _finish(listing)
    _add_one(actions, "keys", "key_2Zx8", "a key", _changed_key_options, "--status disabled")
    _add_rotation(actions)
    revoke = add_command(
        actions,
        "revoke",
        "revoke a key",
        "Revokes a key for good. A running gateway stops taking it within seconds.",
        "gaiarouter keys revoke key_2Zx8",
    )
    revoke.add_argument("id", metavar="ID", help="as `keys list` shows it")
    add_config(revoke)


def _add_new_key(actions: Commands) -> None:
    create = add_command(
        actions,
        "create",
        "make a key",
        "Makes a key and prints it, once: only its hash is kept. The key alone goes to standard output.",
        """
        gaiarouter keys create --name laptop
        gaiarouter keys create --name batch --model 'gpt-*' --requests 60/min --expires 30d
        gaiarouter keys create --name ci --organization org_4f0c --budget 20/week
        export OPENAI_API_KEY="$(gaiarouter keys create --name me)"
        """,
    )
    create.add_argument("--name", required=True, help="what it is for; 1 to 64 characters")
    create.add_argument("--organization", metavar="ID", default=argparse.SUPPRESS, help="whose it is, for good")
    _key_options(create)
    _finish(create)


def _add_rotation(actions: Commands) -> None:
    rotate = add_command(
        actions,
        "rotate",
        "give a key a new secret",
        "Gives a key a new secret and prints it, once. The old one goes on working for a while.",
        """
        gaiarouter keys rotate key_2Zx8
        gaiarouter keys rotate key_2Zx8 --overlap 1h
        """,
    )
    rotate.add_argument("id", metavar="ID", help="as `keys list` shows it")
    rotate.add_argument(
        "--overlap", metavar="TIME", type=duration, default=argparse.SUPPRESS, help="of old and new; 1d, or 0s for none"
    )
    _finish(rotate)


def _add_audit(commands: Commands) -> None:
    actions = add_group(commands, "audit", "show and verify the log of all changes")
    listing = add_command(
        actions,
        "list",
        "list changes",
        "Lists what was changed, by whom and when, the newest first.",
        """
        gaiarouter audit list
        gaiarouter audit list --target key_2Zx8 --json
        """,
    )
    listing.add_argument("--target", metavar="ID", default=argparse.SUPPRESS, help="changes of this record alone")
    _finish(listing)
    verify = add_command(
        actions,
        "verify",
        "look for entries that were changed or taken out",
        "Goes along the chain of hashes. Ends with 1, and names the place, if an entry was changed or is missing.",
        "gaiarouter audit verify",
    )
    add_config(verify)


def _add_made(actions: Commands, group: str, what: str, required: str, options: Options, example: str) -> None:
    parser = add_command(actions, "create", f"make {what}", f"Makes {what}.", f"gaiarouter {group} create {example}")
    options(parser)
    for action in parser._actions:
        action.required = action.dest == required or (group == "users" and action.dest == "organization")
    _finish(parser)


def _add_listing(actions: Commands, group: str, what: str, statuses: Sequence[str]) -> None:
    parser = add_command(
        actions,
        "list",
        f"list {what}",
        f"Lists {what}, the oldest first, without the deleted unless `--status` asks for them.",
        f"""
        gaiarouter {group} list
        gaiarouter {group} list --search acme --json
        """,
    )
    parser.add_argument("--status", choices=statuses, default=argparse.SUPPRESS)
    parser.add_argument("--search", metavar="TEXT", default=argparse.SUPPRESS, help="in the name or the id")
    _finish(parser)


def _add_one(actions: Commands, group: str, example_id: str, what: str, options: Options, example: str) -> None:
    show = add_command(actions, "show", f"show {what}", f"Shows {what} whole.", f"gaiarouter {group} show {example_id}")
    update = add_command(
        actions,
        "update",
        f"change {what}",
        f"Changes {what}: what is named, and nothing else. A running gateway goes by it within seconds.",
        f"""
        gaiarouter {group} update {example_id} {example}
        gaiarouter {group} update {example_id} --clear description
        """,
    )
    options(update)
    update.add_argument(
        "--clear",
        metavar="FIELD",
        action="append",
        default=argparse.SUPPRESS,
        help="take a setting away",
    )
    for parser in (show, update):
        parser.add_argument("id", metavar="ID", help=f"as `{group} list` shows it")
        _finish(parser)


def _add_ending(actions: Commands, group: str, example_id: str, name: str, description: str) -> None:
    parser = add_command(
        actions, name, description.split(":")[0].lower(), description, f"gaiarouter {group} {name} {example_id}"
    )
    parser.add_argument("id", metavar="ID", help=f"as `{group} list` shows it")
    _finish(parser)


def _organization_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it is", argument_default=argparse.SUPPRESS)
    group.add_argument("--name", help="unique; 1 to 64 characters")
    group.add_argument("--status", choices=("active", "suspended"), help="the keys of a suspended one stop")
    _shared_options(group)


def _user_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("who it is", argument_default=argparse.SUPPRESS)
    group.add_argument("--organization", metavar="ID", help="when it is made, and for good")
    group.add_argument("--email", help="unique")
    group.add_argument("--name")
    group.add_argument("--role", choices=_PERMISSIONS)
    group.add_argument("--status", choices=("active", "suspended"), help="the keys of a suspended owner stop")


def _changed_key_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it is", argument_default=argparse.SUPPRESS)
    group.add_argument("--name")
    group.add_argument("--status", choices=("active", "disabled"), help="a disabled key stops until it is active again")
    group.add_argument("--inference", action="store_true", help="it may call models again")
    group.add_argument("--no-log-bodies", dest="log_bodies", action="store_false", help="keep them no longer")
    _key_options(parser)


def _key_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what it may", argument_default=argparse.SUPPRESS)
    group.add_argument("--owner", metavar="ID", help="a user of its organization; the key stops with it")
    group.add_argument(
        "--admin", dest="permission", action="append_const", const="admin", help="the same as --permission admin"
    )
    group.add_argument("--permission", action="append", choices=_PERMISSIONS, help="may be given again")
    group.add_argument("--expires", metavar="TIME", type=duration, help="how long it is valid, as 12h or 30d")
    group.add_argument(
        "--unsupported", choices=("error",), help="refuse what a target cannot take, instead of leaving it out"
    )
    group.add_argument(
        "--log-bodies", action="store_true", help="keep its requests and answers, where `log.bodies` says"
    )
    group.add_argument(
        "--no-inference", dest="inference", action="store_false", help="it may manage, but call no models"
    )
    _shared_options(group)


def _shared_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--description", metavar="TEXT")
    group.add_argument("--model", metavar="GLOB", action="append", help="a model it may use; may be given again")
    group.add_argument("--requests", metavar="RATE", type=rate, help="as 60/min, or unlimited")
    group.add_argument("--tokens", metavar="RATE", type=rate, help="as 100k/min, or unlimited")
    group.add_argument("--concurrent", metavar="N", type=concurrent, help="at the same time, or unlimited")
    group.add_argument("--budget", metavar="USD/PERIOD", type=budget, help="as 500/month; or day, week, total")


def _finish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    add_config(parser)
