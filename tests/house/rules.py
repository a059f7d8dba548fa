"""The rules of the house, each a function from one module to what is wrong in it (`LINE: sentence`).

Rules read syntax trees, never run the code: they see imports inside functions and branches that no test takes.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file; `path` is relative to the repository, with forward slashes."""

    path: PurePosixPath
    source: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, source: str) -> Module:
        return cls(PurePosixPath(path), source, ast.parse(source))

    @property
    def layer(self) -> str:
        """The folder under gaiarouter/, or the file's stem for what lies beside the folders."""
        parts = self.path.parts[1:]
        return parts[0] if len(parts) > 1 else self.path.stem

    @property
    def name(self) -> str:
        return ".".join(self.path.with_suffix("").parts)


Rule = Callable[[Module], Iterator[str]]

CANONICAL = frozenset({"canonical"})
DIALECTS = CANONICAL | {"dialects"}
BASE = DIALECTS | {"providers", "store"}
MIDDLE = BASE | {"routing", "upstream", "ledger", "limits"}

MAY_IMPORT = {
    "canonical": frozenset[str](),
    "dialects": CANONICAL,
    "providers": DIALECTS,
    "store": DIALECTS,
    "routing": BASE,
    "upstream": BASE,
    "ledger": BASE,
    "limits": BASE,
    "pipeline": MIDDLE,
    "server": MIDDLE | {"pipeline"},
    "comparison": MIDDLE,
    # the loader checks what it reads against the catalogue of providers and compiles a route's globs
    "config": BASE | {"routing"},
    "errors": frozenset[str](),
    "rounds": frozenset[str](),
    "telemetry": CANONICAL,
}
# app.py builds and connects; assembly/ is how, by how long each thing lives
# rehearsal/ plays requests on all of it, without a network
SEES_EVERYTHING = frozenset({"app", "assembly", "cli", "rehearsal", "__init__", "__main__"})
FOR_ALL = frozenset(
    {
        "gaiarouter.errors",
        "gaiarouter.rounds",
        "gaiarouter.telemetry",
        "gaiarouter.config.settings",
        "gaiarouter.config.secret",
        "gaiarouter.config.units",
    }
)

# Where a library that does I/O, or reads the outside, may be imported.
HOMES = {
    "aiohttp": {"server", "upstream", "app", "__init__"},
    "aiohttp_sse": {"server"},
    "asyncpg": {"store"},
    "sqlite3": {"store"},
    "redis": {"store"},
    "valkey": {"store"},
    "socket": {"server", "upstream"},
    "ssl": {"server", "upstream"},
    "http": {"server", "upstream"},
    "urllib.request": set[str](),
    "requests": set[str](),
    "httpx": set[str](),
    "dotenv": {"config"},
    "yaml": {"config"},
    "jsonschema": {"config", "server"},
    "opentelemetry": {"upstream"},
    "prometheus_client": {"telemetry", "server", "assembly"},
}
WEB_HOMES = frozenset({"server", "app", "__init__"})
PURE = frozenset({"canonical", "dialects", "providers", "routing"})

PROVIDERS = (
    *("openai", "anthropic", "google", "openrouter", "azure", "groq", "mistral", "deepseek", "xai", "together"),
    *(
        "fireworks",
        "cerebras",
        "cohere",
        "bedrock",
        "vertex",
        "vllm",
        "ollama",
        "llamacpp",
        "huggingface",
        "perplexity",
    ),
)
_PROVIDER = re.compile(rf"\b(?:{'|'.join(PROVIDERS)})\b", re.IGNORECASE)
# Words of a provider's that belong to a wire format, not to who serves it.
_FORMAT_WORDS = re.compile(
    r"(?:anthropic|openai|google-gemini)-[a-z-]*|type\.googleapis\.com/google\.rpc\.[a-z]+", re.IGNORECASE
)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported, `from a import b` as `a.b`; relative ones resolved."""
    package = module.path.parent.parts
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*base, node.module or "")).strip(".")
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def imports_point_down(module: Module) -> Iterator[str]:
    if module.layer in SEES_EVERYTHING:
        return
    allowed = MAY_IMPORT.get(module.layer)
    if allowed is None:
        yield f"1: {module.layer!r} has no place among the layers; give it one in MAY_IMPORT"
        return
    for line, name in imports(module):
        parts = name.split(".")
        if parts[0] != "gaiarouter" or parts[-1] == "__version__":
            continue
        if any(name == free or name.startswith(f"{free}.") for free in FOR_ALL) or name == "gaiarouter.config":
            continue
        target = parts[1] if len(parts) > 1 else "__init__"
        if target != module.layer and target not in allowed and name not in FOR_ALL:
            yield f"{line}: {module.layer} may not import {name}"


def io_stays_home(module: Module) -> Iterator[str]:
    for line, name in imports(module):
        for library, homes in HOMES.items():
            if (name == library or name.startswith(f"{library}.")) and module.layer not in homes:
                yield f"{line}: {library} is for {sorted(homes)}, not for {module.layer}"
        is_web = name == "aiohttp.web" or name.startswith(("aiohttp.web.", "aiohttp.web_"))
        if is_web and module.layer not in WEB_HOMES:
            yield f"{line}: aiohttp.web is for {sorted(WEB_HOMES)}, not for {module.layer}"
        if (
            re.match(r"aiohttp\.(client|connector|Client|TCPConnector|BaseConnector)", name)
            and module.layer != "upstream"
        ):
            yield f"{line}: aiohttp's client is for upstream, not for {module.layer}"


def pure_layers_get_clock_and_chance(module: Module) -> Iterator[str]:
    if module.layer not in PURE:
        return
    for line, name in imports(module):
        if name.split(".")[0] in {"asyncio", "secrets", "subprocess", "threading", "time"}:
            yield f"{line}: {name} in a pure layer; take what it gives as an argument"
        if name.startswith("random.") and name != "random.Random":
            yield f"{line}: {name} draws from a hidden source; take a random.Random"
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Attribute):
            continue
        text = ast.unparse(node)
        if re.fullmatch(r"random\.(?!Random\b)\w+", text):
            yield f"{node.lineno}: {text} draws from a hidden source; take a random.Random"
        if text in {"datetime.now", "datetime.datetime.now", "os.environ", "os.getenv", "os.urandom", "uuid.uuid4"}:
            yield f"{node.lineno}: {text} in a pure layer; take what it gives as an argument"


def only_the_loader_reads_the_environment(module: Module) -> Iterator[str]:
    if module.layer in {"config", "app", "assembly", "cli"}:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}:
            yield f"{node.lineno}: the environment is read by config/ only"


def providers_are_named_at_home(module: Module) -> Iterator[str]:
    if module.layer in {"providers", "config", "cli"}:
        return
    docstrings = {id(text) for text in _docstrings(module.tree)}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        if found := _PROVIDER.search(_FORMAT_WORDS.sub("", node.value)):
            yield f"{node.lineno}: the provider {found[0]!r} is named outside providers/"


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every string that stands alone as a statement: docstrings, and those under a constant or field."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def settings_are_frozen(module: Module) -> Iterator[str]:
    if module.path.as_posix() != "gaiarouter/config/settings.py" and module.layer != "canonical":
        return
    for node in ast.walk(module.tree):
        for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
            text = ast.unparse(decorator)
            if "dataclass" in text and not ("frozen=True" in text and "slots=True" in text):
                yield f"{decorator.lineno}: a value is @dataclass(frozen=True, slots=True)"


_CONTAINERS = frozenset({"dict", "list", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"})
_LIVING = frozenset(
    {"Lock", "Event", "Queue", "Semaphore", "Condition", "count", "cycle", "ClientSession", "WeakSet"}
    | {"WeakKeyDictionary", "WeakValueDictionary", "ContextVar", "local", "Random"}
)
_MUTATORS = frozenset(
    {"append", "add", "update", "extend", "insert", "pop", "popitem", "clear", "remove", "discard", "setdefault"}
)
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*|__\w+__")


def _constructor(value: ast.expr | None) -> str:
    return ast.unparse(value.func).split(".")[-1].split("[")[0] if isinstance(value, ast.Call) else ""


def nothing_lives_at_module_level(module: Module) -> Iterator[str]:
    """A module may hold constants. A container is one when its name is in capitals and nothing here changes it."""
    constants: set[str] = set()
    for node in module.tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        literal = isinstance(node.value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)
        if _constructor(node.value) in _LIVING:
            yield f"{node.lineno}: {', '.join(names)} lives at module level; make it in app.py and hand it on"
        elif literal or _constructor(node.value) in _CONTAINERS:
            constants.update(name for name in names if _CONSTANT.fullmatch(name))
            if any(not _CONSTANT.fullmatch(name) for name in names):
                yield f"{node.lineno}: {', '.join(names)} is a mutable container at module level"
    yield from _changes_of(constants, module.tree)


def _changes_of(constants: set[str], tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"{node.lineno}: global {', '.join(node.names)}"
        changed: ast.expr | None = None
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            changed = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
            changed = node.func.value
        if isinstance(changed, ast.Name) and changed.id in constants:
            yield f"{changed.lineno}: the constant {changed.id} is changed"


def no_task_is_thrown_away(module: Module) -> Iterator[str]:
    """asyncio holds a task weakly: without a reference it may vanish, and its exception with it."""
    groups = {
        item.optional_vars.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if _constructor(item.context_expr) == "TaskGroup" and isinstance(item.optional_vars, ast.Name)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Expr) and _constructor(node.value) in {"create_task", "ensure_future"}:
            assert isinstance(node.value, ast.Call)
            owner = ast.unparse(node.value.func).rpartition(".")[0]
            if owner not in groups:
                yield f"{node.lineno}: nobody holds this task; keep a reference and await it at the end"


def nothing_is_swallowed(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type else "BaseException"
        if re.search(r"\b(Base)?Exception\b|CancelledError", caught) and all(_does_nothing(line) for line in node.body):
            yield f"{node.lineno}: except {caught} that does nothing"


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


_SQL_CALLS = frozenset({"execute", "executemany", "executescript", "fetch", "fetchrow", "fetchval", "prepare"})


def sql_is_constant(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if _constructor(node if isinstance(node, ast.Call) else None) not in _SQL_CALLS:
            continue
        assert isinstance(node, ast.Call)
        for argument in node.args[:1]:
            if isinstance(argument, ast.JoinedStr | ast.BinOp) or _constructor(argument) == "format":
                yield f"{node.lineno}: SQL put together from parts; use placeholders"


def annotations_are_not_evaluated(module: Module) -> Iterator[str]:
    has_code = any(
        not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign) for node in module.tree.body
    )
    if has_code and "from __future__ import annotations" not in module.source:
        yield "1: without `from __future__ import annotations`"


def modules_have_names(module: Module) -> Iterator[str]:
    homeless = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff"}
    if found := homeless & set(module.path.with_suffix("").parts):
        yield f"1: {found.pop()!r} says nothing; a function without a home shows a missing concept"


def nothing_is_left_to_do(module: Module) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        if token.type == tokenize.COMMENT and re.search(r"\b(TODO|FIXME|XXX|HACK)\b", token.string):
            yield f"{token.start[0]}: a note of what is left to do"


MAX_FILE, MAX_FUNCTION = 400, 40


def sizes(module: Module) -> Iterator[tuple[str, int, int]]:
    """What is too long: `path` or `path:function`, its lines without the docstring, and the measure."""
    lines = module.source.count("\n")
    if lines > MAX_FILE:
        yield module.path.as_posix(), lines, MAX_FILE
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1 - _docstring_lines(node)
            if length > MAX_FUNCTION:
                yield f"{module.path.as_posix()}:{node.name}", length, MAX_FUNCTION


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    assert first.end_lineno is not None
    return first.end_lineno - first.lineno + 1


PACKAGE_RULES: tuple[Rule, ...] = (
    imports_point_down,
    io_stays_home,
    pure_layers_get_clock_and_chance,
    only_the_loader_reads_the_environment,
    providers_are_named_at_home,
    settings_are_frozen,
    nothing_lives_at_module_level,
    no_task_is_thrown_away,
    nothing_is_swallowed,
    sql_is_constant,
    annotations_are_not_evaluated,
)
"""For gaiarouter/."""

REPOSITORY_RULES: tuple[Rule, ...] = (modules_have_names, nothing_is_left_to_do)
"""For every Python file."""
