#!/bin/sh
# Send one event with curl. `source` and `id` identify it: sent again, it counts once.
set -eu
curl --fail-with-body --silent --show-error "$OUTLAY_URL/v1/events" \
  -H "Authorization: Bearer $OUTLAY_API_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<EOF
{
  "id": "examples-curl-1",
  "source": "examples/curl",
  "time": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
  "kind": "llm",
  "provider": "openai",
  "sku": "gpt-4o-mini",
  "usage": {"input_tokens": 1000, "output_tokens": 200},
  "team": "growth"
}
EOF
