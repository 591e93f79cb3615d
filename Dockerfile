FROM python:3.12-slim AS build
COPY . /source
RUN python -m venv /opt/sendkit-sync && /opt/sendkit-sync/bin/pip install --no-cache-dir '/source[age,metrics]'

FROM python:3.12-slim
COPY --from=build /opt/sendkit-sync /opt/sendkit-sync
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The state goes to a volume on /state; all else may be read-only: docker run --read-only -v state:/state ...
RUN mkdir -m 0700 /state && chown 10001:10001 /state
USER 10001:10001
WORKDIR /state
ENTRYPOINT ["/opt/sendkit-sync/bin/sendkit-sync"]
CMD ["--help"]
