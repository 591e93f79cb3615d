ARG BASE=python:3.12.11-slim-bookworm

FROM ${BASE} AS build
COPY . /source
RUN python -m venv /opt/sendkit-sync && /opt/sendkit-sync/bin/pip install --no-cache-dir '/source[age,cloud,metrics,postgres]'

FROM ${BASE}
COPY --from=build /opt/sendkit-sync /opt/sendkit-sync
ENV PATH=/opt/sendkit-sync/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The state goes to a volume on /state, all else may be read-only. A scheduler starts one container for each run:
#   docker run --rm --read-only -v sendkit-state:/state -v "$PWD/webhooks.yaml:/config/webhooks.yaml:ro" \
#     --env-file FILE --stop-timeout 60 sendkit-sync reconcile -c /config/webhooks.yaml --state /state/sendkit.state.json
# It ends when the run does, and its exit code tells how: there is nothing that a health check could ask in between.
HEALTHCHECK NONE
RUN mkdir -m 0700 /state && chown 10001:10001 /state
VOLUME /state
USER 10001:10001
WORKDIR /state
ENTRYPOINT ["sendkit-sync"]
CMD ["--help"]
