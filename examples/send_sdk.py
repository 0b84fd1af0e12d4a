"""Send usage with the Python SDK. OUTLAY_URL and OUTLAY_API_KEY name the receiver and the key."""

from outlay_sdk import Outlay

outlay = Outlay(source="examples/sdk", team="growth", project="assistant")

# The usage of one model call, in tokens.
outlay.track(
    provider="anthropic", model="claude-sonnet-4-5", usage={"input_tokens": 4808, "output_tokens": 110}
)

# Or pass a provider's whole response: Outlay reads the usage, and no prompt or completion is sent.
response = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1795600000,
    "model": "gpt-4o-mini",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
}
with outlay.context(use_case="support-chat", user="u-17"):
    outlay.record(response, provider="openai")

outlay.close()  # sends what is left; at exit this happens by itself
print(outlay.stats)
