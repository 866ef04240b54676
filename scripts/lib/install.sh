# What the services are made of, installed once: Debian packages into the system, the rest into $cache.
# Sourced by scripts/services.

ferretdb_version=v2.7.0
ferretdb=$cache/bin/ferretdb-$ferretdb_version

# FerretDB keeps its documents in PostgreSQL with the DocumentDB extension. Debian has that in testing only, whose
# libc is newer than the stable one, so it gets a root of its own.
docdb_packages=postgresql-18,postgresql-18-documentdb
docdb_root=$cache/docdb-root-1 # count up when the packages change

# package COMMAND PACKAGE…: note packages as missing when the command is.
missing=()
package() {
  local command=$1
  shift
  [ -x "$(type -P "$command")" ] || missing+=("$@")
}

install_packages() {
  missing=()
  # redis-tools has the server's program too, without the system service that package redis-server would start.
  package redis-check-rdb redis-tools
  package debootstrap debootstrap
  package gcc gcc libc6-dev # for go test -race
  package mount mount
  package node nodejs # of whoever has it, and npm likewise: other sources of node bring npm along
  package npm npm
  package strace strace # makes a disk slow
  [ -n "$(chromium)" ] || missing+=(chromium)
  [ ${#missing[@]} -gt 0 ] || return 0
  say "apt-get install ${missing[*]}"
  apt_install >"$logs/apt.log" 2>&1 || show_log apt "apt-get install ${missing[*]} did not work"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update || true # one broken source of the machine's need not matter
  apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

chromium() {
  echo "${PM_TEST_CHROMIUM:-$(type -P chromium || type -P chromium-browser || type -P google-chrome)}"
}

build_ferretdb() {
  [ ! -x "$ferretdb" ] || return 0
  local tmp
  tmp=$(mktemp -d "$cache/tmp.ferretdb.XXXXXX")
  GOBIN=$tmp go install "github.com/FerretDB/FerretDB/v2/cmd/ferretdb@$ferretdb_version"
  mv "$tmp/ferretdb" "$ferretdb"
  rmdir "$tmp"
}

# The root counts only once it is complete: it is built beside its place and renamed. debootstrap mounts /proc in it;
# in a mount namespace of its own nothing stays mounted, however it ends.
build_docdb_root() {
  [ ! -d "$docdb_root" ] || return 0
  rm -rf "$cache"/tmp.docdb.*
  local tmp
  tmp=$(mktemp -d "$cache/tmp.docdb.XXXXXX")
  chmod 755 "$tmp"
  unshare --mount debootstrap --variant=minbase --include="$docdb_packages" testing "$tmp" \
    "${PM_DEBIAN_MIRROR:-http://deb.debian.org/debian}"
  rm -rf "$tmp"/var/cache/apt/archives/*.deb
  mv "$tmp" "$docdb_root"
}

# in_parallel NAME FUNCTION…: run each, its output in the log NAME; say what goes on; fail with the log of one that failed.
in_parallel() {
  local -A pids=()
  local name begun=$SECONDS told=$SECONDS
  while [ $# -gt 0 ]; do
    (set -e; "$2") >"$logs/$1.log" 2>&1 </dev/null 9>&- &
    pids[$1]=$!
    shift 2
  done
  while [ ${#pids[@]} -gt 0 ]; do
    sleep 0.2
    for name in "${!pids[@]}"; do
      if ! kill -0 "${pids[$name]}" 2>/dev/null; then
        wait "${pids[$name]}" || show_log "$name" "$name did not work"
        [ ! -s "$logs/$name.log" ] || say "$name done after $((SECONDS - begun)) s"
        unset "pids[$name]"
      elif [ $((SECONDS - told)) -ge 20 ]; then
        say "$name, $((SECONDS - begun)) s: $(tail -n 1 "$logs/$name.log" | cut -c 1-80)"
      fi
    done
    [ $((SECONDS - told)) -lt 20 ] || told=$SECONDS
  done
}
