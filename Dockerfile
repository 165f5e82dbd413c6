# Reads live books and trades on paper. Every dependency, those of the optional services too, by hash; no root.
FROM python:3.12.12-slim-bookworm AS build
WORKDIR /build
COPY requirements-services.lock pyproject.toml README.md LICENSE ./
COPY src src
COPY config config
RUN python -m venv /opt/arb \
 && /opt/arb/bin/pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements-services.lock \
 && /opt/arb/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12.12-slim-bookworm
RUN useradd --system --create-home --home-dir /var/lib/arb arb
COPY --from=build /opt/arb /opt/arb
USER arb
WORKDIR /var/lib/arb
VOLUME /var/lib/arb
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=20s --start-period=120s \
  CMD ["/opt/arb/bin/arb", "status", "--fresh", "600", "--json"]
ENTRYPOINT ["/opt/arb/bin/arb"]
CMD ["run", "--json"]
