"""The command line's words: every command with its options, its help and its examples.

What is parsed here goes to cli.py, which runs it: `command` names the function.
"""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from gaiarouter import __version__
from gaiarouter.config.command import add_command, add_config, add_group, whole
from gaiarouter.config.management import add_management
from gaiarouter.config.units import cpu_count

if TYPE_CHECKING:
    from gaiarouter.config.command import Commands


_DIALECTS = ("chat", "responses", "messages", "gemini", "embeddings")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gaiarouter",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        description=textwrap.fill(
            "One address for every provider of language models. Callers speak the API they know; the routing table, "
            "gaiarouter.yaml, says who answers, what happens when one fails, and how much a key may use.",
            100,
        ),
        epilog=textwrap.dedent("""\
            start here:
              gaiarouter check                         every mistake in ./gaiarouter.yaml, with its line
              gaiarouter serve                         run the gateway
              gaiarouter explain demo                  who would answer for the model `demo`, and why
              gaiarouter keys create --name laptop     a key for a caller

            `gaiarouter COMMAND --help` says more about a command."""),
    )
    parser.add_argument("--version", action="version", version=f"gaiarouter {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_check(commands)
    _add_explain(commands)
    _add_test(commands)
    _add_diff(commands)
    add_management(commands)
    _add_reconcile(commands)
    _add_import(commands)
    _add_schema(commands)
    _add_migrate(commands)
    return parser


def _add_serve(commands: Commands) -> None:
    parser = add_command(
        commands,
        "serve",
        "run the gateway",
        "Runs the gateway until SIGTERM or Ctrl-C, then lets running requests finish. SIGHUP, or a change of the file, "
        "loads the routing table again. Options win over the environment, and the environment over the file.",
        """
        gaiarouter serve
        gaiarouter serve -c /etc/gaiarouter.yaml --port 9000 --workers auto
        GAIAROUTER_HOST=0.0.0.0 gaiarouter serve
        """,
    )
    add_config(parser)
    parser.add_argument("--host", help="the address to listen on (GAIAROUTER_HOST, `server.host`)")
    parser.add_argument("--port", type=_port, help="the port to listen on (GAIAROUTER_PORT, `server.port`)")
    parser.add_argument(
        "--workers", metavar="N", type=_workers, help="processes, or auto (GAIAROUTER_WORKERS, `server.workers`)"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="let `auth.required: false` hold for callers from outside too"
    )
    parser.add_argument(
        "--no-migrate", action="store_true", help="refuse to start when the store's tables are not up to date"
    )


def _add_check(commands: Commands) -> None:
    parser = add_command(
        commands,
        "check",
        "check the routing table",
        "Reads the file as `serve` would and prints all that is wrong with it at once, each as FILE:LINE:COLUMN: "
        "path.to.key: what is wrong, what was expected. Looks too whether the certificate of `server.tls` can be used. "
        "Asks no network. Ends with 1 if there is an error. --strict asks whether it is fit for production: TLS or a "
        "trusted proxy, an admin key and a pepper in the environment, no caller without a key, the control plane "
        "apart, a price for every model that is named, a store that replicas can share.",
        """
        gaiarouter check
        gaiarouter check staging.yaml
        gaiarouter check --strict          what production needs, too; a warning is a failure
        """,
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the same as -c FILE")
    add_config(parser)
    parser.add_argument("--strict", action="store_true", help="ask for what production needs; a warning ends with 1")
    parser.add_argument("--insecure", action="store_true", help="check for a `serve --insecure`")


def _add_explain(commands: Commands) -> None:
    parser = add_command(
        commands,
        "explain",
        "who would answer for a model, and why",
        "Says which route matches the name of a model and why, the targets with their share of the traffic, the "
        "fallbacks in order, and what is off. Of a whole request it says too whom that is bound to by what it holds, "
        "and who could not take it, or not all of it. Calls nobody. Ends with 1 if no route matches.",
        """
        gaiarouter explain demo
        gaiarouter explain gpt-4.1 --json
        gaiarouter explain --request body.json
        gaiarouter explain gpt-4.1 --request - --dialect responses < body.json
        """,
    )
    parser.add_argument("model", metavar="MODEL", nargs="?", help="the name as a caller sends it")
    parser.add_argument("--request", metavar="FILE", help="a request's body as a caller sends it; - is standard input")
    parser.add_argument("--dialect", default="chat", choices=_DIALECTS, help="of FILE (default: chat)")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def _add_test(commands: Commands) -> None:
    parser = add_command(
        commands,
        "test",
        "play routing tests against the table",
        "Plays the tests that stand beside the table (gaiarouter.test.yaml for gaiarouter.yaml, there or in config/): "
        "a request, what each provider does, and what must come of it. Routing, retries, fallbacks, breakers and "
        "limits are the gateway's own; no network, no keys, no waiting. Ends with 0 if all pass, 1 if one fails, 2 if "
        "a file has a mistake.",
        """
        gaiarouter test
        gaiarouter test -c staging.yaml staging.test.yaml
        gaiarouter test --junit report.xml        for a build server

        a test:
          tests:
            - name: an outage of the first provider is no outage of ours
              model: gpt-5-mini
              outcomes: {openai: [timeout, 503]}
              expect:
                attempts: [openai: timeout, openrouter: ok]
                status: 200
        """,
    )
    parser.add_argument("tests", metavar="TESTS.yaml", nargs="*", help="other files of tests")
    add_config(parser)
    parser.add_argument("--junit", metavar="FILE", help="write a report in JUnit's XML too")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell of tests that pass what happened in them")


def _add_diff(commands: Commands) -> None:
    parser = add_command(
        commands,
        "diff",
        "what a changed table changes",
        "Says what differs between two routing tables: providers, routes, shares, chains, settings, and where each "
        "model goes. With --usage also which share of the last day's requests would have gone elsewhere, and at what "
        "price: they are read from OLD's store. Providers are taken to be on, whatever keys are set here. Ends with 0 "
        "if nothing differs, 1 if something does, 2 for trouble.",
        """
        gaiarouter diff gaiarouter.yaml new.yaml
        gaiarouter diff gaiarouter.yaml new.yaml --usage
        git show main:gaiarouter.yaml > old.yaml && gaiarouter diff old.yaml gaiarouter.yaml --json
        """,
    )
    parser.add_argument("old", metavar="OLD", help="the table as it is")
    parser.add_argument("new", metavar="NEW", help="the table as it is to be")
    parser.add_argument("--usage", action="store_true", help="weigh it by the requests of the last day")
    parser.add_argument("--json", action="store_true", help="for programs")


def _add_reconcile(commands: Commands) -> None:
    parser = add_command(
        commands,
        "reconcile",
        "hold a provider's usage export against the ledger",
        "Reads a provider's usage or cost export (CSV of its console, JSON of its reports) and says, by model and "
        "class of tokens, where its counts differ from those of the ledger on the same days. Ends with 0 if nothing "
        "differs, 1 if something does, 2 for trouble.",
        """
        gaiarouter reconcile usage.csv --provider openai
        """,
    )
    add_config(parser)
    parser.add_argument("file", metavar="FILE", help="the export")
    parser.add_argument("--provider", metavar="NAME", help="count only what this provider of the table served")


def _add_import(commands: Commands) -> None:
    actions = add_group(commands, "import", "make a routing table of another gateway's configuration")
    parser = add_command(
        actions,
        "litellm",
        "make a routing table of LiteLLM's config.yaml",
        "Reads LiteLLM's config.yaml and prints a gaiarouter.yaml that serves the same models; standard error "
        "says what differs, and what has no counterpart here, each with its place. Keys that stand in the file are not "
        "copied: the report says which variable takes each. Asks no network. Ends with 0 if all came along, 1 if "
        "something was left out, 2 for trouble.",
        """
        gaiarouter import litellm config.yaml > gaiarouter.yaml
        gaiarouter import litellm config.yaml --out gaiarouter.yaml && gaiarouter check
        """,
    )
    parser.add_argument("file", metavar="FILE", help="LiteLLM's config.yaml; what it includes is read too")
    parser.add_argument("--out", metavar="FILE", help="write a new file instead of printing")


def _add_schema(commands: Commands) -> None:
    parser = add_command(
        commands,
        "schema",
        "print the JSON Schema of the file",
        "Prints the JSON Schema of the routing table, or of its tests, for editors and generators.",
        "gaiarouter schema > gaiarouter.schema.json",
    )
    parser.add_argument("--tests", action="store_true", help="of the files that `gaiarouter test` plays")


def _add_migrate(commands: Commands) -> None:
    parser = add_command(
        commands,
        "migrate",
        "bring the store's tables up to date",
        "Brings the store's tables up to date. `serve` does it by itself, unless it is given --no-migrate.",
        "gaiarouter migrate",
    )
    add_config(parser)


def _port(text: str) -> int:
    return whole(text, most=65535)


def _workers(text: str) -> int:
    return cpu_count() if text == "auto" else whole(text, most=256, or_=", or auto")
