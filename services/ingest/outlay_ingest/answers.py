"""What is answered: what became of each event, and problems of whole requests."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import Request
from starlette.responses import Response

from outlay_ingest.domain.rejections import Rejection
from outlay_kit.problems import Problem, from_router, internal
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)
MOST_ERRORS = 1000
"""Most rejections named in one answer; all of them are dead letters."""


@dataclass
class Kept:
    """What became of the things in a request."""

    accepted: int = 0
    ignored: int = 0
    """Items that carry no usage, such as spans that are not model calls."""
    rejections: list[Rejection] = field(default_factory=list)


def outcome(kept: Kept) -> Response:
    """Return 202 if anything was accepted or nothing carried usage, 422 if every event was refused."""
    answer: dict[str, object] = {"accepted": kept.accepted, "rejected": len(kept.rejections)}
    if kept.ignored:
        answer["ignored"] = kept.ignored
    if kept.rejections:
        answer["errors"] = [
            {"index": r.index, "id": r.id, "code": r.code, "path": r.where, "message": r.message}
            for r in kept.rejections[:MOST_ERRORS]
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


PROTOBUF = "application/x-protobuf"
_CODES = {400: 3, 401: 16, 403: 7, 404: 12, 413: 8, 415: 3, 422: 3, 429: 8, 500: 13, 501: 12, 503: 14}
"""HTTP status → google.rpc.Code."""
_MOST_NAMED = 10


def success(kept: Kept, signal: Literal["spans", "logs"], media: str) -> Response:
    """Return 200, also where records were refused: those must not be sent again."""
    why = "; ".join(
        f"{r.id or r.index}: {r.where}: {r.message} [{r.code}]" for r in kept.rejections[:_MOST_NAMED]
    )
    answer: Any = ExportTraceServiceResponse() if signal == "spans" else ExportLogsServiceResponse()
    if kept.rejections:
        field = "rejected_spans" if signal == "spans" else "rejected_log_records"
        setattr(answer.partial_success, field, len(kept.rejections))
        answer.partial_success.error_message = why
    if media == PROTOBUF:
        return Response(answer.SerializeToString(), media_type=PROTOBUF)
    return Response(MessageToJson(answer, indent=None), media_type="application/json")


def failure(problem: Problem, media: str) -> Response:
    """Return a problem as a google.rpc.Status. Exporters try again after 429 and 503, and after no other."""
    code = _CODES.get(problem.status, 2)
    detail = f"{problem.detail} [{problem.code}]"
    if media == PROTOBUF:
        text = detail.encode()
        body = bytes((0x08, code, 0x12)) + _varint(len(text)) + text  # int32 code = 1; string message = 2
        return Response(body, problem.status.value, problem.headers, media_type=PROTOBUF)
    body = msgspec.json.encode({"code": code, "message": detail})
    return Response(body, problem.status.value, problem.headers, media_type="application/json")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
