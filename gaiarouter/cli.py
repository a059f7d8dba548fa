"""The command line: call one function a command, and turn its answer into words and an exit code.

Exit codes: 0 good, 1 the command could not do it (each reason is printed), 2 wrong usage.
Imports stand inside the commands, so that `check` and `explain` do not wait for the server's.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from gaiarouter.config.arguments import build_parser
from gaiarouter.config.management import OPERATIONS

if TYPE_CHECKING:
    from gaiarouter.comparison.traffic import Asked
    from gaiarouter.config.loader import Loaded
    from gaiarouter.config.settings import Settings
    from gaiarouter.routing.explain import Explanation
    from gaiarouter.store.base import Store


T = TypeVar("T")
_NONE: Mapping[str, str] = MappingProxyType({})
_DAY_US = 86_400_000_000


class _FailedError(Exception):
    """The command ends with exit code 1, and says this."""


def main(argv: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    arguments = build_parser().parse_args(given)
    arguments.given = given  # for the workers that `serve` starts
    arguments.own = sys.argv[1:] if argv is None else argv
    try:
        return _COMMANDS[arguments.command](arguments)
    except _FailedError as error:
        _say(str(error))
        return 2 if arguments.command in _AS_DIFF else 1
    except BrokenPipeError:
        # the reader, such as `head`, has seen enough; without this Python complains when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _serve(arguments: argparse.Namespace) -> int:
    from gaiarouter.config.source import ConfigFile
    from gaiarouter.server.workers import kept_in, worker_of

    worker = worker_of(os.environ)
    kept = None if worker is None else kept_in(worker.shared)
    source = ConfigFile(arguments.config, lambda path: _load_file(str(path), arguments), kept=kept)
    settings = _settings(loaded := source.begin())

    from gaiarouter.assembly.process import serve

    if worker is None or source.is_stale:  # else the first process has said it
        for problem in loaded.warnings:
            _say(str(problem))
    return serve(settings, source, migrate=not arguments.no_migrate, arguments=arguments.given)


def _check(arguments: argparse.Namespace) -> int:
    from gaiarouter.assembly.production import beyond_the_file

    arguments.config = arguments.file or arguments.config
    loaded = _load(arguments)
    problems = (*loaded.problems, *beyond_the_file(loaded.settings, strict=arguments.strict))
    for problem in problems:
        print(problem)
    if loaded.settings is not None:
        print(_summary(arguments.config, loaded.settings))
    errors, warnings = (sum(each.severity == kind for each in problems) for kind in ("error", "warning"))
    if problems:
        _say(f"{arguments.config}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return 1 if errors or (arguments.strict and warnings) else 0


def _explain(arguments: argparse.Namespace) -> int:
    from gaiarouter.routing.explain import as_json, render_text

    if arguments.model is None and not arguments.request:
        _say("gaiarouter explain: which one? Give a MODEL, or a whole request with --request.")
        return 2
    settings = _settings(_load(arguments))
    explanation = _explained_request(arguments, settings) if arguments.request else _explained(arguments, settings)
    print(as_json(explanation) if arguments.json else render_text(explanation))
    return 0 if explanation.place else 1


def _explained(arguments: argparse.Namespace, settings: Settings) -> Explanation:
    from gaiarouter.routing.explain import explain
    from gaiarouter.routing.table import Table

    return explain(Table(settings), arguments.model)


def _explained_request(arguments: argparse.Namespace, settings: Settings) -> Explanation:
    from gaiarouter.errors import InvalidRequest
    from gaiarouter.rehearsal.play import explain_offline

    try:
        body = sys.stdin.buffer.read() if arguments.request == "-" else Path(arguments.request).read_bytes()
        return explain_offline(settings, body, arguments.dialect, arguments.model)
    except OSError as error:
        raise _FailedError(f"{arguments.request}: {error.strerror}") from error
    except InvalidRequest as error:
        raise _FailedError(f"{arguments.request}: {error.message}") from error


def _test(arguments: argparse.Namespace) -> int:
    from structlog.testing import capture_logs

    from gaiarouter.rehearsal.report import render_junit, render_text
    from gaiarouter.rehearsal.run import rehearse, test_files_of

    files = arguments.tests or test_files_of(arguments.config)
    if not files:
        stem = os.path.splitext(os.path.basename(arguments.config))[0]
        raise _FailedError(f"There are no tests: no {stem}.test.yaml beside {arguments.config}, nor in config/ there.")
    with capture_logs():  # what the parts would log of made-up requests
        rehearsed = rehearse(files, lambda environ: _load(arguments, environ))
    for problem in rehearsed.problems:
        _say(str(problem))
    if rehearsed.played:
        print(render_text(rehearsed.played, verbose=arguments.verbose))
    if arguments.junit:
        try:
            with open(arguments.junit, "w", encoding="utf-8") as report:
                report.write(render_junit(rehearsed.played))
        except OSError as error:
            raise _FailedError(f"{arguments.junit} cannot be written: {error.strerror}") from error
    if rehearsed.problems:
        return 2
    return 1 if any(each.differences for each in rehearsed.played) else 0


def _diff(arguments: argparse.Namespace) -> int:
    from gaiarouter.comparison.report import as_json, render_text
    from gaiarouter.comparison.tables import compare
    from gaiarouter.comparison.traffic import between

    before, after = (_settings_of(file, arguments) for file in (arguments.old, arguments.new))
    asked = _asked(before) if arguments.usage else ()
    traffic = between(before, after, asked) if arguments.usage else None
    names = [*_served(before), *_served(after), *(each.model for each in asked)]
    difference = compare(before, after, names)
    print(as_json(difference, traffic) if arguments.json else render_text(difference, traffic))
    return 0 if difference.is_empty else 1


def _settings_of(file: str, arguments: argparse.Namespace) -> Settings:
    return _settings(_load_file(file, arguments))


def _served(settings: Settings) -> list[str]:
    """Names of models that the table serves, as far as they are known."""
    from gaiarouter.comparison.tables import all_on
    from gaiarouter.providers.catalogue import Catalogue
    from gaiarouter.routing.listing import list_models
    from gaiarouter.routing.table import Table

    catalogue = Catalogue.load()
    known = {name: catalogue.models(provider.kind) for name, provider in settings.providers.items()}
    settings = all_on(settings)
    return [model.name for model in list_models(Table(settings), settings, known)]


def _asked(settings: Settings) -> Sequence[Asked]:
    """Of the last day, from the store of these settings."""
    from gaiarouter.comparison.traffic import Asked
    from gaiarouter.store.keyring import now_us

    since_us = now_us() - _DAY_US
    rows = _with_store(settings, lambda store: store.usage_by_model(since_us=since_us), migrate=False)
    return [Asked(*row) for row in rows]


def _manage(arguments: argparse.Namespace) -> int:
    import orjson

    from gaiarouter.assembly.manage import manage, page, table
    from gaiarouter.errors import GatewayError, InvalidRequest

    settings = _settings(_load(arguments))
    try:
        answer = _with_store(settings, lambda store: manage(settings, store, arguments.command, vars(arguments)))
    except GatewayError as error:
        _say(error.message)
        return 2 if isinstance(error, InvalidRequest) else 1
    if arguments.json:
        print(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
    elif "key" in answer:
        _say(f"{answer['id']} ({answer['name']}), shown once:")
        print(answer["key"])
    else:
        print(table(arguments.command, answer) if isinstance(answer, list) else page(answer))
    return 0


def _audit_verify(arguments: argparse.Namespace) -> int:
    from gaiarouter.store.verification import verify_audit

    count, wrong = _with_store(_settings(_load(arguments)), verify_audit)
    if wrong is not None:
        raise _FailedError(f"{_count(count, 'entry', 'entries')} in order, then: {wrong}.")
    print(f"{_count(count, 'entry', 'entries')}, all in order.")
    return 0


def _keys_list(arguments: argparse.Namespace) -> int:
    import orjson

    from gaiarouter.server.admin.api_keys import key_view
    from gaiarouter.store.commands import list_keys, render_keys
    from gaiarouter.store.keyring import now_us

    keys, now = _with_store(_settings(_load(arguments)), list_keys), now_us()
    if arguments.json:
        views = [key_view(key, now) for key in keys]
        print(orjson.dumps(views, option=orjson.OPT_INDENT_2).decode())
    else:
        print(render_keys(keys, now_us=now))
    return 0


def _keys_revoke(arguments: argparse.Namespace) -> int:
    from gaiarouter.store.commands import revoke_key
    from gaiarouter.store.keyring import now_us
    from gaiarouter.store.records import Author

    settings = _settings(_load(arguments))
    author = Author("cli", now_us())
    if not _with_store(settings, lambda store: revoke_key(store, arguments.id, author=author)):
        raise _FailedError(
            f"There is no key {arguments.id}, or it was revoked before; `gaiarouter keys list` shows all."
        )
    _say(f"{arguments.id} is revoked.")
    return 0


def _reconcile(arguments: argparse.Namespace) -> int:
    from gaiarouter.ledger.export import UnreadableExport, read_export
    from gaiarouter.ledger.reconcile import compared, render

    try:
        export = read_export(Path(arguments.file).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, UnreadableExport) as error:
        raise _FailedError(f"{arguments.file}: {error}") from error
    settings = _settings(_load(arguments))
    if arguments.provider not in (None, *settings.providers):
        raise _FailedError(f"There is no provider {arguments.provider!r}, only {', '.join(settings.providers)}.")
    found = _with_store(settings, lambda store: compared(export, store, provider=arguments.provider), migrate=False)
    print(render(export, found))
    return 1 if any(each.by for each in found) else 0


def _import_litellm(arguments: argparse.Namespace) -> int:
    """0 all came along, 1 something was left out, 2 trouble."""
    from gaiarouter.config.litellm.source import UnreadableError
    from gaiarouter.config.litellm.table import convert

    try:
        imported = convert(Path(arguments.file))
        if arguments.out is None:
            print(imported.text, end="")
        else:
            with open(arguments.out, "x", encoding="utf-8") as out:
                out.write(imported.text)
    except UnreadableError as error:
        _say(f"{arguments.file}: {error}")
        return 2
    except OSError as error:  # of FILE, of what it includes, or of OUT, which is never overwritten
        _say(f"{error.filename}: {error.strerror}")
        return 2
    _say(imported.report)
    return 0 if imported.is_whole else 1


def _schema(arguments: argparse.Namespace) -> int:
    if arguments.tests:
        from gaiarouter.rehearsal.cases import schema_text
    else:
        from gaiarouter.config.structure import schema_text

    print(schema_text().decode(), end="")
    return 0


def _migrate(arguments: argparse.Namespace) -> int:
    from gaiarouter.store import open_store
    from gaiarouter.store.commands import migrate

    settings = _settings(_load(arguments))
    applied = _run_on_store(lambda: migrate(open_store(settings.store)))
    _say(f"Applied: {', '.join(applied)}." if applied else "The tables were up to date.")
    return 0


def _load(arguments: argparse.Namespace, environ: Mapping[str, str] = _NONE) -> Loaded:
    """environ: wins over the real environment."""
    from gaiarouter.config.loader import Overrides, load
    from gaiarouter.providers import known_kinds

    return load(
        arguments.config,
        environ={**os.environ, **environ},
        known_kinds=known_kinds(),
        overrides=Overrides(
            host=getattr(arguments, "host", None),
            port=getattr(arguments, "port", None),
            workers=getattr(arguments, "workers", None),
        ),
        insecure=getattr(arguments, "insecure", False),
    )


def _load_file(file: str, arguments: argparse.Namespace) -> Loaded:
    """Another file with the same options."""
    return _load(argparse.Namespace(**{**vars(arguments), "config": file}))


def _settings(loaded: Loaded) -> Settings:
    """The settings; a file with errors ends the command, with all of them on standard error."""
    if loaded.settings is None:
        for problem in loaded.problems:
            _say(str(problem))
        raise _FailedError(f"Nothing was done: {_count(len(loaded.errors), 'error')} in the configuration.")
    return loaded.settings


def _with_store(settings: Settings, action: Callable[[Store], Awaitable[T]], *, migrate: bool = True) -> T:
    from gaiarouter.store import open_store

    async def run() -> T:
        store = open_store(settings.store)
        await store.open(migrate=migrate)
        try:
            return await action(store)
        finally:
            await store.close()

    return _run_on_store(run)


def _run_on_store(run: Callable[[], Coroutine[None, None, T]]) -> T:
    import asyncio

    from gaiarouter.store.base import MigrationError, StorageUnavailable

    try:
        return asyncio.run(run())
    except (MigrationError, StorageUnavailable, ValueError) as error:
        raise _FailedError(f"The store: {error}") from error


def _summary(file: str, settings: Settings) -> str:
    on = [name for name, provider in settings.providers.items() if provider.off is None]
    off = [f"{name} ({provider.off})" for name, provider in settings.providers.items() if provider.off]
    lines = [
        f"{file}: {_count(len(settings.routes), 'route')}, {_count(len(settings.providers), 'provider')}",
        f"  on:  {', '.join(on) or 'none'}",
    ]
    return "\n".join([*lines, f"  off: {', '.join(off)}"] if off else lines)


def _count(number: int, noun: str, many: str | None = None) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {many or noun + 's'}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)


_AS_DIFF: Final = ("diff", "reconcile")
"""Which end as diff(1) does: 0 nothing differs, 1 something does, 2 trouble."""
_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "check": _check,
    "explain": _explain,
    "test": _test,
    "diff": _diff,
    **dict.fromkeys(OPERATIONS, _manage),
    "audit verify": _audit_verify,
    "keys list": _keys_list,
    "keys revoke": _keys_revoke,
    "reconcile": _reconcile,
    "import litellm": _import_litellm,
    "schema": _schema,
    "migrate": _migrate,
}
