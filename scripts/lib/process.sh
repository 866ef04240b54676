# Processes that outlive the command that started them: started by hand, known by pid, stopped by pid.
# Sourced by scripts/services, which sets $state (pids, ports, data) and $logs.

# birth PID: when the process was started, in clock ticks. With it a pid that was used again is not taken for ours.
birth() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -- ${stat##*) }
  [ "$1" != Z ] && echo "${20}"
}

# alive FILE: FILE holds "PID BIRTH" of a process that runs.
alive() {
  local pid born
  [ -f "$1" ] && read -r pid born <"$1" && [ "$(birth "$pid")" = "$born" ]
}

# start NAME COMMAND…: run in the background, in a session of its own (so that Ctrl-C does not reach it).
start() {
  local name=$1
  shift
  setsid "$@" </dev/null >"$logs/$name.log" 2>&1 9>&- &
  echo "$! $(birth $!)" >"$state/$name.pid"
}

# stop NAME: ask, wait, then insist.
stop() {
  local file=$state/$1.pid pid i
  if alive "$file"; then
    read -r pid _ <"$file"
    kill -s "${2:-TERM}" "$pid" 2>/dev/null || true
    for ((i = 0; i < 100; i++)); do
      alive "$file" || break
      sleep 0.1
    done
    alive "$file" && kill -KILL "$pid" 2>/dev/null && sleep 0.3
    alive "$file" && die "$1 (pid $pid) does not stop"
  fi
  rm -f "$file"
}

# wait_until NAME SECONDS COMMAND…: until the command succeeds; fails as soon as the process is gone.
wait_until() {
  local name=$1 end=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    alive "$state/$name.pid" || show_log "$name" "$name ended at start"
    [ $SECONDS -lt $end ] || show_log "$name" "$name does not answer"
    sleep 0.1
  done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port NAME: the port it had last time, or another one when that is taken. Below the ephemeral range, where tests listen.
port() {
  local file=$state/$1.port port=""
  [ -f "$file" ] && read -r port <"$file"
  while [ -z "$port" ] || port_open "$port"; do
    port=$((20000 + RANDOM % 12000))
  done
  echo "$port" | tee "$file"
}

say() { echo "services: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# show_log NAME WHY: the end of the log, then fail.
show_log() {
  say "$2; the end of $logs/$1.log:"
  tail -n 40 "$logs/$1.log" | sed 's/^/  | /' >&2
  exit 1
}
