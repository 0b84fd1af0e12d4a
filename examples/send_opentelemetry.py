"""Export a model call as an OpenTelemetry span, with the attributes that instrumentations of model clients set."""

import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    f"{os.environ['OUTLAY_URL']}/v1/traces",
    headers={"Authorization": f"Bearer {os.environ['OUTLAY_API_KEY']}"},
)
provider = TracerProvider(
    resource=Resource({"service.name": "examples/opentelemetry", "outlay.team": "growth"})
)
provider.add_span_processor(BatchSpanProcessor(exporter))
tracer = provider.get_tracer("examples")

with tracer.start_as_current_span("chat gpt-4o-mini") as span:
    span.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.response.model": "gpt-4o-mini",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 200,
        }
    )

provider.shutdown()  # sends what is left
