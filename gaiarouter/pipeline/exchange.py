"""Everything known about one request while it is served. Stages talk through it, and through nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct, field

from gaiarouter.canonical.usage import Usage
from gaiarouter.dialects.base import BARE, Dialect, Envelope, RequestHead
from gaiarouter.dialects.passed.conversion import Form
from gaiarouter.dialects.preferences import Preferences
from gaiarouter.errors import GatewayError
from gaiarouter.limits.base import Grant, Lease
from gaiarouter.pipeline.tracing import Trace
from gaiarouter.routing.base import Match, ResolvedTarget
from gaiarouter.store.base import ApiKey
from gaiarouter.upstream.base import Loaded


class Reply(Protocol):
    """The way back to the caller. Status and headers leave with the first `answer` or `send`, or when a hold ends.

    `answer` is for a whole body and is called at most once. After `send` the reply is committed: no other target may
    answer any more.
    """

    @property
    def started(self) -> bool:
        """Status and headers are on their way: an error can only be an event now."""
        ...

    @property
    def committed(self) -> bool: ...

    @property
    def stalled(self) -> bool:
        """The caller took nothing for so long that its connection was given up."""
        ...

    def hold(self, seconds: float) -> None:
        """If nothing has been sent by then, start a stream and keep it alive while it has no content yet."""
        ...

    async def answer(self, body: bytes) -> None: ...

    async def send(self, data: bytes) -> None:
        """Whole events. Waits while the caller does not read."""
        ...

    def send_now(self, data: bytes) -> bool:
        """Whole events, after a `send`, without waiting. False: wait for `room` before the next. Raises CallerGone."""
        ...

    async def room(self) -> None:
        """Returns when the caller has read enough of what was sent. Raises CallerGone."""
        ...


class AttemptRecord(Struct, frozen=True, gc=False):
    """One try at one target, for the log and for headers. outcome: one of telemetry.OUTCOMES.

    lost: what the provider may bill although nothing of it went to the caller. lost_nano: what that costs; None is
    unpriced.
    """

    provider: str
    model: str
    outcome: str
    duration_s: float
    lost: Usage | None = None
    lost_nano: int | None = None


def _nowhere() -> str:
    return "unknown"


class Exchange(Struct):
    """One request, from its head to its end. Each group of fields is filled in by the stage it is named for."""

    # the server
    id: str
    request_id: str
    dialect: Dialect
    credentials: tuple[str, ...]
    receive: Callable[[], Awaitable[bytes]]
    """Reads the body: only called once the caller is known. Raises RequestRefused."""
    reply: Reply
    received_s: float
    """Monotonic clock, as are all times in seconds here."""
    received_us: int
    """Wall clock, microseconds since the epoch."""
    envelope: Envelope = BARE
    form: Form | None = None
    """The body, where it is a form: `receive` then gives what was read of its fields, as JSON."""
    source: Callable[[], str] = _nowhere
    """The address that the request came from, as far as that can be trusted."""
    trace: Trace | None = None
    """None where no traces are made."""

    # admission
    admitted: bool = False
    """It has a slot, which must be given back."""

    # auth
    key: ApiKey | None = None

    # rate limit
    lease: Lease | None = None
    request: RequestHead | None = None
    estimated_input: int = 0
    """Tokens of the prompt, by the estimate: reading it again would cost."""

    # transform
    match: Match | None = None
    preferences: Preferences | None = None
    """The caller's own wishes about who answers."""

    # booking
    grant: Grant | None = None
    """Where budgets hold and the store is away: what was let in without it."""

    # proxy
    attempts: list[AttemptRecord] = field(default_factory=list)
    served: ResolvedTarget | None = None
    media: dict[str, Loaded] = field(default_factory=dict)
    """What was loaded for targets that do not load it themselves, by its address."""
    dropped: tuple[str, ...] = ()
    """The caller's fields that the target could not take."""
    usage: Usage | None = None
    heard: Usage | None = None
    """What the target has told of an answer that did not come to any content; of the try that is under way."""
    cost_nano: int | None = None
    """What `usage` costs, in nano-dollars; None while there is none, and where nobody knows the price."""
    estimated: bool = False
    """The answer tells a number of tokens that the gateway has guessed."""
    media_type: str | None = None
    """Of an answer that goes on as its target sends it; None: the dialect's."""
    finish_reason: str | None = None
    next_number: int = 0
    """Of a stream that broke off: of the event that would have come next, where they are numbered."""
    attempt_started_s: float = 0.0
    spoke_s: float = 0.0
    """When a target's first content, or whole answer, was in hand; 0.0 until then."""
    upstream_s: float = 0.0
    """Time spent waiting for targets until then, pauses between tries included."""
    complete: bool = False
    """The whole answer has been handed to the reply: a hang-up after that loses nothing."""

    # the runner
    cut_short: GatewayError | None = None
    """Set before the request's task is cancelled by the gateway itself: what the caller is told then."""
    error: BaseException | None = None

    def waited_for_media(self, seconds: float) -> None:
        """Others' time, though not the target's, which has not been asked yet."""
        self.upstream_s += seconds
        self.attempt_started_s += seconds

    def spoke(self, now: float) -> None:
        self.spoke_s = now
        self.media.clear()  # no other target will be asked, and a stream may last
        self.upstream_s += now - self.attempt_started_s

    @property
    def key_id(self) -> str:
        return self.key.id if self.key else "anonymous"

    @property
    def owner(self) -> str:
        """Whose is what is kept of the request: the key's organization's, or of one that is of none its own. Empty for
        callers without a key."""
        return "" if self.key is None else self.key.organization or self.key.id

    @property
    def key_name(self) -> str:
        return self.key.name if self.key else "anonymous"
