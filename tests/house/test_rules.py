"""The rules of the house hold in this repository, and each rule can be broken."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.house import rules
from tests.house.rules import Module, Rule

ROOT = Path(__file__).parents[2]

TOO_LONG_FOR_A_REASON: dict[str, str] = {}
"""`path` or `path:function` -> the sentence that says why it may be longer than the measure."""

ALLOWED_FOR_A_REASON = {
    (
        "only_the_loader_reads_the_environment",
        "gaiarouter/server/workers.py",
    ): "hands its own environment to its workers",
    (
        "only_the_loader_reads_the_environment",
        "gaiarouter/server/probe.py",
    ): "runs every few seconds by itself, and reads no table",
    ("only_the_loader_reads_the_environment", "gaiarouter/telemetry/metrics.py"): "the metrics library's own variable",
    ("providers_are_named_at_home", "gaiarouter/dialects/redaction.py"): "the prefixes of keys, whoever issued them",
}
"""(rule, path) -> why the rule does not hold in this file."""

FOREIGN = ("pypi_org", "pythonhosted_org", "npmjs_org", "crates_io", "golang_org", "maven_org")
MACHINE = ("_work_", "_root_", "_home_")
"""Words that would tie the repository to one machine; `_` stands for their dot or slash, so that this file has none."""


@cache
def _files() -> tuple[Path, ...]:
    """What git tracks or would: a file not yet committed is judged too, an ignored one is not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


@cache
def _all_modules() -> tuple[Module, ...]:
    names = (path.relative_to(ROOT).as_posix() for path in _files() if path.suffix == ".py")
    return tuple(Module.parse(name, (ROOT / name).read_text()) for name in sorted(set(names)))


def _modules(folder: str = "") -> tuple[Module, ...]:
    return tuple(module for module in _all_modules() if str(module.path).startswith(folder))


def _broken(rule: Rule, modules: tuple[Module, ...]) -> list[str]:
    judged = [module for module in modules if (rule.__name__, str(module.path)) not in ALLOWED_FOR_A_REASON]
    return [f"{module.path}:{wrong}" for module in judged for wrong in rule(module)]


def _id(value: object) -> str:
    return getattr(value, "__name__", str(value)).replace("_", " ")


def test_there_is_something_to_judge() -> None:
    assert len(_modules("gaiarouter/")) > 20
    assert len(_modules()) > len(_modules("gaiarouter/"))


@pytest.mark.parametrize("rule", rules.PACKAGE_RULES, ids=_id)
def test_the_package_keeps(rule: Rule) -> None:
    assert _broken(rule, _modules("gaiarouter/")) == []


@pytest.mark.parametrize("rule", rules.REPOSITORY_RULES, ids=_id)
def test_every_python_file_keeps(rule: Rule) -> None:
    assert _broken(rule, _modules()) == []


def test_every_exception_is_still_needed() -> None:
    modules = {str(module.path): module for module in _modules()}
    needed = {(name, path) for name, path in ALLOWED_FOR_A_REASON if list(getattr(rules, name)(modules[path]))}
    assert needed == ALLOWED_FOR_A_REASON.keys()


def test_files_and_functions_keep_the_measure() -> None:
    too_long = {
        name: f"{lines} lines, {most} at most" for module in _modules() for name, lines, most in rules.sizes(module)
    }
    assert {name: why for name, why in too_long.items() if name not in TOO_LONG_FOR_A_REASON} == {}
    assert TOO_LONG_FOR_A_REASON.keys() <= too_long.keys(), "an exception that is no longer needed"


@pytest.mark.parametrize(
    "pattern",
    [
        *(re.escape(word.replace("_", ".")) for word in FOREIGN),
        *(rf"(?<![\w.]){word.replace('_', '/')}" for word in MACHINE),
    ],
)
def test_no_file_names_a_registry_or_a_machines_folder(pattern: str) -> None:
    found = re.compile(pattern)
    assert [str(path.relative_to(ROOT)) for path in _files() if found.search(path.read_text(errors="replace"))] == []


P = "gaiarouter/"
BROKEN: list[tuple[Rule, str, str]] = [
    (rules.imports_point_down, P + "canonical/events.py", "from gaiarouter.dialects import base"),
    (rules.imports_point_down, P + "dialects/sse.py", "def f():\n    import gaiarouter.upstream.pool"),
    (rules.imports_point_down, P + "routing/table.py", "from gaiarouter.upstream.base import Upstream"),
    (rules.imports_point_down, P + "routing/table.py", "from ..server import handler"),
    (rules.imports_point_down, P + "pipeline/proxy.py", "from gaiarouter import server"),
    (rules.imports_point_down, P + "pipeline/proxy.py", "from gaiarouter.config.loader import load"),
    (rules.imports_point_down, P + "store/base.py", "from gaiarouter.app import App"),
    (rules.imports_point_down, P + "server/run.py", "from gaiarouter.assembly.parts import Parts"),
    (rules.imports_point_down, P + "novelty/base.py", "x = 1"),
    (rules.io_stays_home, P + "pipeline/proxy.py", "import aiohttp"),
    (rules.io_stays_home, P + "upstream/names.py", "from aiohttp import web"),
    (rules.io_stays_home, P + "server/reply.py", "from aiohttp import ClientSession"),
    (rules.io_stays_home, P + "ledger/pricing.py", "import sqlite3"),
    (rules.io_stays_home, P + "limits/memory.py", "def f():\n    from asyncpg import connect"),
    (rules.io_stays_home, P + "upstream/names.py", "import urllib.request"),
    (rules.pure_layers_get_clock_and_chance, P + "routing/breaker.py", "import time"),
    (rules.pure_layers_get_clock_and_chance, P + "routing/selection.py", "import random\nx = random.choice([1])"),
    (rules.pure_layers_get_clock_and_chance, P + "routing/selection.py", "from random import choice"),
    (rules.pure_layers_get_clock_and_chance, P + "dialects/echo.py", "import uuid\ndef f():\n    return uuid.uuid4()"),
    (rules.only_the_loader_reads_the_environment, P + "server/run.py", "import os\ndef f():\n    os.environ['A']"),
    (rules.providers_are_named_at_home, P + "pipeline/proxy.py", "if name == 'openai':\n    pass"),
    (rules.providers_are_named_at_home, P + "dialects/chat/request.py", "f'Azure wants {x}'"),
    (rules.settings_are_frozen, P + "config/settings.py", "@dataclass\nclass A:\n    x: int"),
    (rules.settings_are_frozen, P + "config/settings.py", "@dataclass(frozen=True)\nclass A:\n    x: int"),
    (rules.nothing_lives_at_module_level, P + "server/ops.py", "seen = {}"),
    (rules.nothing_lives_at_module_level, P + "server/ops.py", "cache: dict[str, int] = dict()"),
    (rules.nothing_lives_at_module_level, P + "server/ops.py", "LOCK = asyncio.Lock()"),
    (rules.nothing_lives_at_module_level, P + "server/ops.py", "SEEN = set()\ndef f(x):\n    SEEN.add(x)"),
    (rules.nothing_lives_at_module_level, P + "server/ops.py", "SEEN = {}\ndef f(x):\n    SEEN[x] = 1"),
    (rules.nothing_lives_at_module_level, P + "server/ops.py", "x = 1\ndef f():\n    global x\n    x = 2"),
    (rules.no_task_is_thrown_away, P + "server/run.py", "def f():\n    asyncio.create_task(g())"),
    (rules.no_task_is_thrown_away, P + "server/run.py", "def f():\n    asyncio.get_running_loop().create_task(g())"),
    (rules.nothing_is_swallowed, P + "server/run.py", "try:\n    f()\nexcept Exception:\n    pass"),
    (rules.nothing_is_swallowed, P + "server/run.py", "try:\n    f()\nexcept:\n    ..."),
    (
        rules.nothing_is_swallowed,
        P + "server/run.py",
        "try:\n    f()\nexcept (OSError, asyncio.CancelledError):\n    pass",
    ),
    (rules.sql_is_constant, P + "store/sqlite.py", "db.execute(f'select {x}')"),
    (rules.sql_is_constant, P + "store/sqlite.py", "db.executemany('select %s' % x, [])"),
    (rules.sql_is_constant, P + "store/postgres.py", "await db.fetchrow('select {}'.format(x))"),
    (rules.annotations_are_not_evaluated, P + "errors.py", "def f(): ..."),
    (rules.modules_have_names, P + "server/utils.py", ""),
    (rules.modules_have_names, "tests/helpers/upstream.py", ""),
    (rules.nothing_is_left_to_do, "bench/load.py", "x = 1  # TODO: faster"),
]

KEPT: list[tuple[Rule, str, str]] = [
    (rules.imports_point_down, P + "pipeline/proxy.py", "from gaiarouter.upstream.base import Upstream"),
    (rules.imports_point_down, P + "canonical/usage.py", "from gaiarouter.errors import GatewayError"),
    (rules.imports_point_down, P + "store/base.py", "from gaiarouter.config.settings import Limits"),
    (rules.imports_point_down, P + "dialects/chat/chunks.py", "from .fields import FIELDS"),
    (rules.imports_point_down, P + "app.py", "from gaiarouter.server import handler"),
    (rules.imports_point_down, P + "assembly/service.py", "from gaiarouter.server import handler"),
    (rules.io_stays_home, P + "server/handler.py", "from aiohttp import web"),
    (rules.io_stays_home, P + "upstream/names.py", "import aiohttp"),
    (rules.pure_layers_get_clock_and_chance, P + "routing/selection.py", "import random\ndef f(r: random.Random): ..."),
    (rules.pure_layers_get_clock_and_chance, P + "server/handler.py", "import time"),
    (rules.providers_are_named_at_home, P + "providers/openai.py", "NAME = 'openai'"),
    (rules.providers_are_named_at_home, P + "pipeline/proxy.py", "'''As openai does.'''"),
    (rules.providers_are_named_at_home, P + "dialects/messages/errors.py", "H = 'anthropic-ratelimit-requests'"),
    (rules.settings_are_frozen, P + "config/settings.py", "@dataclass(frozen=True, slots=True)\nclass A:\n    x: int"),
    (rules.nothing_lives_at_module_level, P + "server/ops.py", "ROUTES = {'a': 1}\n__all__ = ['f']\nlimit = 3"),
    (rules.no_task_is_thrown_away, P + "server/run.py", "async def f():\n    self.task = asyncio.create_task(g())"),
    (
        rules.no_task_is_thrown_away,
        P + "server/run.py",
        "async def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(g())",
    ),
    (rules.nothing_is_swallowed, P + "server/run.py", "try:\n    f()\nexcept KeyError:\n    pass"),
    (rules.sql_is_constant, P + "store/sqlite.py", "db.execute('select ?', (x,))"),
    (rules.annotations_are_not_evaluated, P + "server/__init__.py", '"""Says what it is."""'),
]


@pytest.mark.parametrize(("rule", "path", "source"), BROKEN, ids=_id)
def test_a_breach_is_caught(rule: Rule, path: str, source: str) -> None:
    assert list(rule(Module.parse(path, source))) != []


@pytest.mark.parametrize(("rule", "path", "source"), KEPT, ids=_id)
def test_what_is_allowed_is_not_called_a_breach(rule: Rule, path: str, source: str) -> None:
    assert list(rule(Module.parse(path, source))) == []


def test_every_rule_has_a_breach_in_the_table() -> None:
    assert {rule for rule, _, _ in BROKEN} == {*rules.PACKAGE_RULES, *rules.REPOSITORY_RULES}


def test_lengths_are_counted_without_docstrings() -> None:
    body = "\n".join(["    x = 1"] * 39)
    assert list(rules.sizes(Module.parse("a.py", f'def f():\n    """One\n\n    two."""\n{body}\n'))) == []
    assert list(rules.sizes(Module.parse("a.py", f"def f():\n{body}\n    y = 2\n"))) == [("a.py:f", 41, 40)]
    assert list(rules.sizes(Module.parse("a.py", "x = 1\n" * 401))) == [("a.py", 401, 400)]
