"""What a call of the SDK costs its caller: `python benchmarks/sdk.py`. It must stay under 20 µs.

Both the mean and the worst of a thousand calls in a row are shown, while the sending thread encodes and sends.
"""

import itertools
import statistics
import time
from http.server import ThreadingHTTPServer

from harness import percentile, show
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.support.http_server import Handler, serving

from outlay_sdk import Outlay

CALLS = 20_000


class Swallow(Handler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: N802 (the library calls it so)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(202, {}, b'{"accepted":0,"rejected":0}')


def measure(outlay: Outlay, calls: int) -> list[float]:
    """Return µs of each call: as an application makes them, with a pause of its own work in between."""
    usage = {"input_tokens": 4808, "cache_read_tokens": 4096, "output_tokens": 110}
    spent = []
    for number in range(calls):
        started = time.perf_counter()
        outlay.track(
            provider="anthropic", sku="claude-sonnet-4-5", usage=usage, user=f"u-{number}",
            use_case="support-chat", tags={"env": "prod"},
        )  # fmt: skip
        spent.append((time.perf_counter() - started) * 1e6)
        if number % 100 == 99:
            time.sleep(0.005)
    return spent


def measure_stream(outlay: Outlay, pieces: int) -> tuple[float, float]:
    """Return µs for recording a response, and for a piece of a stream, as the client of OpenAI returns them."""
    head = {"id": "x", "created": 1, "model": "gpt-4o"}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
    chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
    piece = ChatCompletionChunk.model_validate(chunk)
    whole = ChatCompletion.model_validate(
        {**head, "object": "chat.completion", "choices": [], "usage": usage}
    )
    started = time.perf_counter()
    for _ in outlay.stream(itertools.repeat(piece, pieces)):
        pass
    streamed = time.perf_counter()
    for _ in range(1000):
        outlay.record(whole)
    return (time.perf_counter() - streamed) * 1e3, (streamed - started) / pieces * 1e6


def main() -> None:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Swallow)) as port:
        outlay = Outlay(f"http://127.0.0.1:{port}", "key", team="growth", max_events=100_000)
        with outlay.context(project="assistant"):
            measure(outlay, 500)
            spent = measure(outlay, CALLS)
        outlay.flush(30)
        p50, p99 = percentile(spent, 0.5), percentile(spent, 0.99)
        show(calls_of_track=CALLS, mean_us=statistics.fmean(spent), p50_us=p50, p99_us=p99)
        record, piece = measure_stream(outlay, CALLS)
        show(record_us=record, piece_of_a_stream_us=piece)
        outlay.close()


if __name__ == "__main__":
    main()
