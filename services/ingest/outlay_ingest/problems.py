"""What is answered: what became of each event, and problems of whole requests."""

from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from outlay_ingest.domain.reading import Chunk
from outlay_ingest.domain.rejections import Rejection
from outlay_kit.problems import Problem, from_router, internal
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
ERRORS_TOLD = 1000
"""Most rejections told in one answer; all of them are dead letters."""


@dataclass
class Kept:
    """What became of the things in a request."""

    accepted: int = 0
    ignored: int = 0
    """Things that are no usage, in formats that carry other things too."""
    rejections: list[Rejection] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        """Count a chunk."""
        self.accepted += chunk.events
        self.ignored += chunk.ignored
        self.rejections += chunk.rejections


def outcome(kept: Kept) -> Response:
    """202 if anything was accepted, or all was no usage; 422 if every event was refused; each refusal is named."""
    answer: dict[str, object] = {"accepted": kept.accepted, "rejected": len(kept.rejections)}
    if kept.ignored:
        answer["ignored"] = kept.ignored
    if kept.rejections:
        answer["errors"] = [
            {"index": r.index, "id": r.id, "code": r.code, "path": r.where, "message": r.message}
            for r in kept.rejections[:ERRORS_TOLD]
        ]
    if kept.accepted or not kept.rejections:
        return Response(msgspec.json.encode(answer), 202, media_type="application/json")
    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "all_refused", "no event of the request is valid")
    return problem.response(**answer)


async def http_error(_: Request, error: Exception) -> Response:
    """Answer for what the router refuses: no such path, no such method."""
    return from_router(error, "events go to POST /v1/events; the other paths are in /openapi.json").response()


async def bug(_: Request | None, error: Exception, **names: str) -> Response:
    """Answer for what should not have happened. The log has the reason, the sender does not."""
    log.error("a request failed", exc_info=error, **names)
    return internal("send the same events again").response()
