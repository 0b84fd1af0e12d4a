"""What OTLP/HTTP demands of an answer: the encoding of the request, partial success, and a Status where it fails."""

from typing import Literal

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.responses import Response

from outlay_ingest.problems import Kept
from outlay_kit.problems import Problem

PROTOBUF = "application/x-protobuf"
Signal = Literal["spans", "logs"]
_CODES = {400: 3, 401: 16, 403: 7, 404: 12, 413: 8, 415: 3, 422: 3, 429: 8, 500: 13, 501: 12, 503: 14}
"""HTTP status → google.rpc.Code."""
_TOLD = 10


def success(kept: Kept, signal: Signal, media: str) -> Response:
    """Return 200, also where records were refused: those must not be sent again."""
    why = "; ".join(f"{r.id or r.index}: {r.where}: {r.message} [{r.code}]" for r in kept.rejections[:_TOLD])
    if media != PROTOBUF:
        told = {f"rejected{'Spans' if signal == 'spans' else 'LogRecords'}": str(len(kept.rejections))}
        answer = {"partialSuccess": {**told, "errorMessage": why}} if kept.rejections else {}
        return Response(msgspec.json.encode(answer), media_type="application/json")
    if signal == "spans":
        spans = ExportTraceServiceResponse()
        if kept.rejections:
            spans.partial_success.rejected_spans = len(kept.rejections)
            spans.partial_success.error_message = why
        return Response(spans.SerializeToString(), media_type=PROTOBUF)
    logs = ExportLogsServiceResponse()
    if kept.rejections:
        logs.partial_success.rejected_log_records = len(kept.rejections)
        logs.partial_success.error_message = why
    return Response(logs.SerializeToString(), media_type=PROTOBUF)


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
