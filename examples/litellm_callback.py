"""Report every LiteLLM call, with its usage, through a callback. Remove `mock_response` to call the real model."""

import litellm

from outlay_sdk import Outlay

outlay = Outlay(source="examples/litellm", team="growth")
litellm.success_callback = [outlay.litellm]

answer = litellm.completion(
    model="openai/gpt-4o-mini",
    messages=[{"role": "user", "content": "Say hello."}],
    mock_response="Hello!",
)
print(answer.usage)

litellm.utils.executor.shutdown(wait=True)  # LiteLLM runs callbacks on threads of its own
outlay.close()
print(outlay.stats)
