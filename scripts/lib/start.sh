# How each service is started. Their data is thrown away with them, so PostgreSQL does not wait for the disk;
# Redis appends to its file as a production one would. Sourced by scripts/services.

services=(redis postgres ferretdb)
in_docdb=("$here/lib/in_docdb" "$docdb_root" "$state/data/postgres")

start_all() {
  start_redis
  start_postgres
  start_ferretdb
}

stop_all() {
  stop ferretdb
  stop postgres INT # PostgreSQL's fast shutdown: do not wait for clients
  stop redis
  rm -rf "$state"/data
}

all_alive() {
  local name
  for name in "${services[@]}"; do
    alive "$state/$name.pid" || return 1
  done
}

data_dir() {
  rm -rf "$state/data/$1"
  mkdir -p "$state/data/$1"
  echo "$state/data/$1"
}

start_redis() {
  local port dir
  port=$(port redis) dir=$(data_dir redis)
  start redis "$cache/bin/redis-server" --bind 127.0.0.1 --port "$port" --dir "$dir" --appendonly yes --save ''
  wait_until redis 30 redis-cli -p "$port" ping
}

start_postgres() {
  local port dir
  port=$(port postgres) dir=$(data_dir postgres)
  "${in_docdb[@]}" initdb -D /mnt -A trust -U postgres --no-sync >"$logs/initdb.log" 2>&1 || show_log initdb "initdb did not work"
  cat >>"$dir/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '/tmp'
max_connections = 200
shared_buffers = 256MB
fsync = off
synchronous_commit = off
full_page_writes = off
shared_preload_libraries = 'pg_cron, pg_documentdb_core, pg_documentdb'
cron.database_name = 'postgres'
CONF
  start postgres "${in_docdb[@]}" postgres -D /mnt
  wait_until postgres 60 psql_docdb 'SELECT 1'
  psql_docdb 'CREATE EXTENSION IF NOT EXISTS documentdb CASCADE' >"$logs/extension.log" 2>&1 ||
    show_log extension "CREATE EXTENSION documentdb did not work"
}

psql_docdb() {
  "${in_docdb[@]}" psql -X -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(cat "$state/postgres.port")" -U postgres -c "$1"
}

start_ferretdb() {
  local port dir
  port=$(port ferretdb) dir=$(data_dir ferretdb)
  start ferretdb "$ferretdb" --no-auth --listen-addr="127.0.0.1:$port" --debug-addr=- --telemetry=disable \
    --state-dir="$dir" --log-level=warn \
    --postgresql-url="postgres://postgres@127.0.0.1:$(cat "$state/postgres.port")/postgres?pool_max_conns=150"
  wait_until ferretdb 30 port_open "$port"
}
