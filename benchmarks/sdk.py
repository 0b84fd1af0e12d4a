"""What a call of the SDK costs its caller: `python benchmarks/sdk.py`. It must stay under 20 µs.

Both the mean and the worst of a thousand calls in a row are shown, while the sending thread encodes and sends.
"""

import http.server
import itertools
import threading
import time

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from outlay_sdk import Outlay

CALLS = 20_000


class Swallow(http.server.BaseHTTPRequestHandler):
    """An ingest that says yes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(202)
        body = b'{"accepted":0,"rejected":0}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def measure(outlay: Outlay, calls: int) -> list[float]:
    """Return seconds of each call: as an application makes them, with a pause of its own work in between."""
    spent = []
    for number in range(calls):
        started = time.perf_counter()
        outlay.track(
            provider="anthropic",
            sku="claude-sonnet-4-5",
            usage={"input_tokens": 4808, "cache_read_tokens": 4096, "output_tokens": 110},
            user=f"u-{number}",
            use_case="support-chat",
            tags={"env": "prod"},
        )
        spent.append(time.perf_counter() - started)
        if number % 100 == 99:
            time.sleep(0.005)
    return spent


def measure_stream(outlay: Outlay, pieces: int) -> tuple[float, float]:
    """Return seconds for recording a response, and for a piece of a stream, as the client of OpenAI returns them."""
    head = {"id": "x", "created": 1, "model": "gpt-4o"}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
    piece = ChatCompletionChunk.model_validate(
        {**head, "object": "chat.completion.chunk", "choices": [choice]}
    )
    whole = ChatCompletion.model_validate(
        {**head, "object": "chat.completion", "choices": [], "usage": usage}
    )
    started = time.perf_counter()
    for _ in outlay.stream(itertools.repeat(piece, pieces)):
        pass
    streamed = time.perf_counter()
    for _ in range(1000):
        outlay.record(whole)
    return (time.perf_counter() - streamed) / 1000, (streamed - started) / pieces


def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Swallow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    outlay = Outlay(f"http://127.0.0.1:{server.server_port}", "key", team="growth", max_events=100_000)
    with outlay.context(project="assistant"):
        measure(outlay, 500)
        spent = sorted(measure(outlay, CALLS))
    outlay.flush(30)
    mean = sum(spent) / len(spent) * 1e6
    median, late = spent[len(spent) // 2] * 1e6, spent[int(len(spent) * 0.99)] * 1e6
    print(f"{CALLS:,} calls of track: mean {mean:.1f} µs, median {median:.1f} µs, p99 {late:.1f} µs")
    record, piece = (seconds * 1e6 for seconds in measure_stream(outlay, CALLS))
    print(f"record of a response: {record:.0f} µs; a piece of a stream: {piece:.1f} µs")
    print(f"{outlay.stats}")


if __name__ == "__main__":
    main()
