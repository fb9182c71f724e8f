"""What a route takes, answers and refuses, said at the route itself; openapi.py makes the document of it.

Who may call, path parameters and the sentence about the route are known already: from the guard's list, the route and
the docstring. So are the refusals that any such route may answer. Here stands the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from visiona.domain.errors import VisionaError

Handler = TypeVar("Handler", bound=Callable[..., Any])

_NAME = "__described__"


@dataclass(frozen=True, slots=True)
class Described:
    """What is said of one route.

    Attributes:
        answer: the type of the envelope's `data`, a TypedDict or a list of one; None for an answer without a body.
        body: a TypedDict of the fields of the body.
        query: a TypedDict of the parameters; those that may be absent are so there.
        refusals: beyond those that every such route has.
        status: of the answer; 0 where only `also` says it.
        also: further statuses → a sentence about each; they have no body of ours.
        media: of the answer, one of these, where it is not JSON in the envelope.
        is_plain: JSON without the envelope.
        is_paged: `limit` and `cursor` are taken, and the answer is a page.
        is_kept_list: as `is_paged`, but a bare array where no limit is given.
        body_is_optional: an empty body will do.
    """

    answer: object = None
    body: type | None = None
    query: type | None = None
    refusals: tuple[type[VisionaError], ...] = ()
    status: int = 200
    also: Mapping[int, str] = field(default_factory=dict)
    media: tuple[str, ...] = ()
    is_plain: bool = False
    is_paged: bool = False
    is_kept_list: bool = False
    body_is_optional: bool = False


NOT_DESCRIBED = Described(also={200: "Done."}, status=0)
"""Of a route of which nothing is said: pages, and what a standard describes better than we would."""


def described(**said: Any) -> Callable[[Handler], Handler]:  # noqa: ANN401 - the fields of Described
    """Says it of a handler; stands below the route's own decorator. The arguments are Described's fields."""
    description = Described(**said)

    def say(handler: Handler) -> Handler:
        setattr(handler, _NAME, description)
        return handler

    return say


def description_or_none(handler: object) -> Described | None:
    """What was said of it."""
    found = getattr(handler, _NAME, None)
    return found if isinstance(found, Described) else None
