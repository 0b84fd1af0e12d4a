"""The demonstration: a real trace of LLM calls through every service, watched live."""
