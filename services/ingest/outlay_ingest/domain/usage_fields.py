"""What usage fields mean where the price data's extractors do not say. Paths have dots, from the object that holds
the usage, without places in lists. Sources: the providers' API references and tests/golden/README.md."""

RENAMED = {
    "inputTokenCount": "inputTokens",  # Bedrock, amazon-bedrock-invocationMetrics
    "outputTokenCount": "outputTokens",
    "cacheReadInputTokenCount": "cacheReadInputTokens",  # Nova through InvokeModel
    "cacheWriteInputTokenCount": "cacheWriteInputTokens",
    "responseTokenCount": "candidatesTokenCount",  # Gemini Live
    "responseTokensDetails": "candidatesTokensDetails",
    "prompt_eval_count": "prompt_tokens",  # Ollama
    "eval_count": "completion_tokens",
}
"""Another spelling of a name that an extractor knows."""

HOLDERS = ("usage", "usageMetadata", "usage_info", "meta", "tool_usage")
"""The fields of a response that hold usage."""
COUNTS = ("prompt_eval_count", "eval_count", "trained_tokens")
"""Counts that stand in a response itself: Ollama's, and those of OpenAI's fine-tuning jobs."""

_INPUT, _OUTPUT = ("prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details"), (
    "completion_tokens_details", "output_tokens_details", "output_token_details", "completion_token_details",
)  # fmt: skip
_IN = {
    "cached_tokens": "cache_read_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_creation_tokens": "cache_write_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation_token_details.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "cache_creation_token_details.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "audio_tokens": "input_audio_tokens",
    "image_tokens": "input_image_tokens",
    "video_tokens": "input_video_tokens",
    "web_search_requests": "web_searches",
}
_OUT = {
    "reasoning_tokens": "output_reasoning_tokens",
    "audio_tokens": "output_audio_tokens",
    "image_tokens": "output_image_tokens",
    "video_tokens": "output_video_tokens",
}
METERS = {
    **{f"{group}.{name}": meter for group in _INPUT for name, meter in _IN.items()},
    **{f"{group}.{name}": meter for group in _OUTPUT for name, meter in _OUT.items()},
    "cached_tokens": "cache_read_tokens",  # Moonshot
    "num_cached_tokens": "cache_read_tokens",  # Mistral
    "prompt_cache_hit_tokens": "cache_read_tokens",  # DeepSeek
    "cache_read_input_tokens": "cache_read_tokens",  # LiteLLM, Databricks
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "prompt_audio_seconds": "input_audio_seconds",  # Voxtral
    "seconds": "audio_seconds",  # OpenAI transcriptions
    "server_tool_use.web_search_requests": "web_searches",
    "web_search.num_requests": "web_searches",  # OpenAI Responses, tool_usage
    "num_search_queries": "web_searches",
    "billed_units.search_units": "rerank_searches",  # Cohere rerank
    "billed_units.input_tokens": "input_tokens",
    "billed_units.output_tokens": "output_tokens",
    "server_side_tool_usage_details.web_search_calls": "web_searches",  # xAI
    "server_side_tool_usage_details.x_search_calls": "social_searches",
    "server_side_tool_usage_details.code_interpreter_calls": "code_executions",
    "server_side_tool_usage_details.file_search_calls": "storage_searches",
    "server_side_tool_usage_details.document_search_calls": "storage_searches",
    "num_sources_used": "live_search_sources",
    "trained_tokens": "training_tokens",  # OpenAI fine-tuning jobs
}
"""Fields that count something of their own, and the meter."""

_COSTS = (
    "input_tokens_cost output_tokens_cost reasoning_tokens_cost request_cost citation_tokens_cost search_queries_cost "
    "tool_calls_cost cache_creation_cost cache_read_cost input_cost output_cost total_cost currency"
)
_UPSTREAM = "cost prompt_cost completions_cost input_cost output_cost"
TOTALS = ("total_tokens", "totalTokens", "totalTokenCount")
PART_OF_OTHERS = frozenset([
    *TOTALS, "num_server_side_tools_used", "prompt_cache_miss_tokens",
    "server_side_tool_usage_details.mcp_calls",
    *("server_tool_use." + name for name in ("web_fetch_requests", "tool_search_requests")),  # free of charge
    *(f"{group}.{name}_prediction_tokens" for group in _OUTPUT for name in ("accepted", "rejected")),
    *(f"{group}.text_tokens" for group in (*_INPUT, *_OUTPUT)),  # what the other kinds leave
    "tokens.input_tokens", "tokens.output_tokens",  # Cohere bills billed_units
    "queue_time", "prompt_time", "completion_time", "total_time",  # Groq
    "invocationLatency", "firstByteLatency",  # Bedrock
    "type", "model", "is_byok", "doc_size_bytes", "api_version.version", "api_version.is_experimental", "warnings",
    "cost", "cost_in_usd_ticks", "estimated_cost", "total_cost", "market_cost",
    *("cost." + name for name in _COSTS.split()),
    *("cost_details.upstream_inference_" + name for name in _UPSTREAM.split()),
])  # fmt: skip
"""Sums of other fields, what costs nothing, what only describes, and stated costs (see reported.py)."""

CONTEXT = {
    "service_tier": "service_tier",
    "serviceTier": "service_tier",
    "serviceTier.type": "service_tier",
    "speed": "speed",
    "inference_geo": "inference_geo",
    "trafficType": "traffic_type",
    "search_context_size": "search_context_size",
}
"""Fields that decide at which price the counts are billed, and the attribute of the event that says it."""
