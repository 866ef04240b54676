# scripts/services run: a command with the services around it, and nothing left of either afterwards.

run() {
  mkdir -p "$state/users"
  user=$state/users/$$ passed=$state/passed.$$ started=""
  echo "$$ $(birth $$)" >"$user" # before up: a run that ends meanwhile must not stop them
  trap finish EXIT
  if ! all_given; then
    started=yes
    locked up
    local given_redis=${PM_TEST_REDIS:-} given_mongo=${PM_TEST_MONGO:-}
    eval "$(print_env)"
    export PM_TEST_REDIS=${given_redis:-$PM_TEST_REDIS} PM_TEST_MONGO=${given_mongo:-$PM_TEST_MONGO}
  fi
  trap 'interrupt 130' INT
  trap 'interrupt 143' TERM HUP
  set -m # the command gets a process group, which can be signalled and looked over as a whole
  ("$@" && echo >"$passed") &
  group=$!
  set +m
  local code=0
  wait "$group" || code=$?
  nothing_left 10 || code=1
  exit "$code"
}

# interrupt CODE: go test removes its temporary files and ends its tests on SIGINT, not on SIGTERM.
interrupt() {
  trap '' INT TERM HUP
  kill -INT -- "-$group" 2>/dev/null || true
  nothing_left 5 || true
  exit "$1"
}

# nothing_left SECONDS: every process that the command started has ended; what has not by then is named and killed.
nothing_left() {
  local end=$((SECONDS + $1))
  while [ -n "$(members)" ]; do
    if [ $SECONDS -ge $end ]; then
      say "left running by the tests:"
      members | sed 's/^/  /' >&2
      kill -KILL -- "-$group" 2>/dev/null
      return 1
    fi
    sleep 0.1
  done
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

# finish: the services go unless others use them, and are seen to be gone. The run passed only if the command left
# its mark: bash was once seen to wait for a failed command and find 0.
finish() {
  local code=$?
  [ -e "$passed" ] || [ "$code" != 0 ] || code=1
  rm -f "$user" "$passed"
  if [ "$started" ]; then
    locked down
  fi
  exit "$code"
}
