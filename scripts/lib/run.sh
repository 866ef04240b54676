# scripts/services run: a command with the services around it, and nothing left of either afterwards.

run() {
  if ! all_given; then
    mkdir -p "$state/users"
    user=$state/users/$$
    echo "$$ $(birth $$)" >"$user" # before up: a run that ends meanwhile must not stop them
    trap finish EXIT
    locked up
    local given_redis=${PM_TEST_REDIS:-} given_mongo=${PM_TEST_MONGO:-}
    eval "$(print_env)"
    export PM_TEST_REDIS=${given_redis:-$PM_TEST_REDIS} PM_TEST_MONGO=${given_mongo:-$PM_TEST_MONGO}
  fi
  trap 'interrupt 130' INT
  trap 'interrupt 143' TERM HUP
  set -m # the command gets a process group, which can be signalled and looked over as a whole
  "$@" &
  group=$!
  set +m
  local code=0
  wait "$group" || code=$?
  nothing_left || code=1
  exit "$code"
}

# interrupt CODE: go test removes its temporary files and ends its tests on SIGINT, not on SIGTERM.
interrupt() {
  trap '' INT TERM HUP
  kill -INT -- "-$group" 2>/dev/null
  nothing_left || true
  exit "$1"
}

# nothing_left: every process that the command started has ended; what has not after a while is named and killed.
nothing_left() {
  local i
  for ((i = 0; i < 100; i++)); do
    [ -n "$(members)" ] || return 0
    sleep 0.1
  done
  say "left running by the tests:"
  members | sed 's/^/  /' >&2
  kill -KILL -- "-$group" 2>/dev/null
  return 1
}

# members: "PID COMMAND" of the processes in the group.
members() {
  local dir stat
  for dir in /proc/[0-9]*; do
    { read -r stat <"$dir/stat"; } 2>/dev/null || continue
    set -- ${stat##*) }
    [ "$3" = "$group" ] && [ "$1" != Z ] && echo "${dir#/proc/} $(tr '\0' ' ' <"$dir/cmdline")"
  done
  return 0
}

# finish: the services go unless others use them, and are seen to be gone.
finish() {
  local code=$?
  rm -f "$user"
  locked down
  exit "$code"
}
