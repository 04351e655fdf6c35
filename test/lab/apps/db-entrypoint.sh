#!/bin/sh
# Starts PostgreSQL as the container's process 1, on a data folder that is made on the first start.
set -eu

PATH="$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1):$PATH"
export PGDATA="${PGDATA:-/var/lib/postgresql/data}"

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown postgres:postgres "$PGDATA" /run/postgresql
  chmod 700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --username=postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >/dev/null
  {
    echo "listen_addresses = '*'"
    echo "shared_buffers = 64MB"
    echo "jit = off"
    echo "log_timezone = 'UTC'"
  } >>"$PGDATA/postgresql.conf"
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl --silent --wait --options="-c listen_addresses=''" --log=/dev/null start
  psql --quiet --username=postgres --set=ON_ERROR_STOP=1 --set=role="$POSTGRES_USER" --set=password="$POSTGRES_PASSWORD" \
    --set=database="$POSTGRES_DB" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"role";
\connect :"database"
SET ROLE :"role";
CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, price_cents integer NOT NULL);
INSERT INTO items (name, price_cents) VALUES ('kettle', 4900), ('lamp', 3500), ('chair', 12900), ('desk', 34900);
SQL
  pg_ctl --silent --wait --mode=fast stop
fi

# With "shell" the server runs as a child of this script, which does not pass TERM on: a common mistake in images.
# Further arguments are the server's own (`-c shared_buffers=512MB`).
case "${1:-}" in
  shell)
    shift
    postgres "$@" &
    wait
    ;;
  exec)
    shift
    exec postgres "$@"
    ;;
  *)
    exec postgres "$@"
    ;;
esac
