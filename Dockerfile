ARG BASE=python:3.12.11-slim-bookworm

FROM ${BASE} AS build
COPY . /source
RUN python -m venv /opt/sendkit-sync && /opt/sendkit-sync/bin/pip install --no-cache-dir '/source[age,cloud,metrics,postgres]'

FROM ${BASE}
COPY --from=build /opt/sendkit-sync /opt/sendkit-sync
ENV PATH=/opt/sendkit-sync/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The state is on a volume at /state; everything else may be read-only. A scheduler starts one container per run:
#   docker run --rm --read-only -v sendkit-state:/state -v "$PWD/webhooks.yaml:/config/webhooks.yaml:ro" \
#     --env-file FILE --stop-timeout 60 sendkit-sync reconcile -c /config/webhooks.yaml --state /state/sendkit.state.json
# The container ends with the run, and its exit code says how it went, so there is nothing for a health check to ask.
HEALTHCHECK NONE
RUN mkdir -m 0700 /state && chown 10001:10001 /state
VOLUME /state
USER 10001:10001
WORKDIR /state
ENTRYPOINT ["sendkit-sync"]
CMD ["--help"]
