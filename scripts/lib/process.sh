# shellcheck shell=bash
# Starts, checks and stops processes by pid file. A process is signalled only after a check of its command line. Sourced; needs settings.sh.

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

# may_delete WHAT: asks at the terminal. In CI and with YES=1 the answer is yes; without a terminal it is no.
may_delete() {
    local answer
    if [ -n "${CI:-}" ] || [ "${YES:-}" = 1 ]; then return 0; fi
    if [ ! -t 0 ]; then
        complain "this deletes $1, and there is no terminal to ask at: YES=1 says yes"
        return 1
    fi
    read -r -p "Delete $1? Type yes: " answer
    [ "$answer" = yes ] || {
        complain "nothing was deleted"
        return 1
    }
}

# A random value that is made once and kept until `reset`.
kept_secret() { # NAME [WHAT STANDS BEFORE IT]
    local file=$RUN/secrets/$1
    if [ ! -s "$file" ]; then
        mkdir -p "$RUN/secrets"
        chmod 700 "$RUN/secrets"
        (umask 077 && say "${2:-}$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >"$file")
    fi
    cat "$file"
}

# One at a time: lock NAME waits for another run of the same kind. Held on descriptor 9 until the script ends.
lock() {
    mkdir -p "$RUN"
    exec 9>"$RUN/$1.lock"
    flock -n 9 && return 0
    complain "another \"$1\" is at work in $RUN, waiting for it"
    flock -w 900 9
}

# The command line of a process, its words separated by spaces. Empty when the process has ended, and for a moment during exec.
command_line() { # PID
    local line tries
    for tries in {1..5}; do
        line=$({ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null) || true
        if [ -n "$line" ] || [ ! -e "/proc/$1" ]; then break; fi
        [ "$tries" = 5 ] || sleep 0.01
    done
    say "$line"
}

# alive PIDFILE WORD: the process of this pid file runs, and WORD stands in its command line.
alive() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && command_line "$pid" | grep -qF -- "$2"
}

# launch PIDFILE LOG COMMAND...: starts a process in the background, in a session of its own and without our lock.
launch() {
    local pid_file=$1 log=$2
    shift 2
    setsid nohup "$@" >>"$log" 2>&1 </dev/null 9>&- &
    echo $! >"$pid_file"
    # Until its exec it is a copy of this shell, which `alive` wouldn't recognise. Its command line may be another than the one given here: a
    # script in its place starts the real program.
    until [ "$(command_line $!)" != "$(command_line $$)" ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
}

# end PIDFILE WORD [SECONDS]: asks the process to stop, waits, then ends it.
end() {
    local pid_file=$1 word=$2 tries=$((${3:-20} * 10)) pid
    if alive "$pid_file" "$word"; then
        pid=$(cat "$pid_file")
        kill -TERM "$pid" 2>/dev/null || true
        while [ $tries -gt 0 ] && alive "$pid_file" "$word"; do
            sleep 0.1
            tries=$((tries - 1))
        done
        if alive "$pid_file" "$word"; then
            complain "process $pid ($word) did not stop in ${3:-20} s and is killed"
            kill -KILL "$pid" 2>/dev/null || true
        fi
    fi
    rm -f "$pid_file"
}

# wait_for WHAT SECONDS COMMAND...: polls until the command succeeds.
wait_for() {
    local what=$1 deadline=$((SECONDS + $2)) limit=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            complain "$what was not healthy within $limit s"
            return 1
        fi
        sleep 0.1
    done
}

http_ok() { [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "$1")" = 200 ]; }

# The sockets that listen on a TCP port, on whatever address: "uid inode" a line.
listeners() {
    local hex
    hex=$(printf '%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v p=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == p { print $8, $10 }'
}

# The owner of a socket: command line and pid if visible, otherwise the user.
socket_owner() {
    local uid=$1 inode=$2 fd pid
    fd=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
    if [ -n "$fd" ]; then
        pid=${fd#/proc/}
        pid=${pid%%/*}
        say "process $pid: $(command_line "$pid" | cut -c1-120 | sed 's/ *$//')"
    else
        say "a process of user $(id -un "$uid" 2>/dev/null || echo "$uid")"
    fi
}

# need_port PORT SETTING WHAT: fails if the port is taken, and names its owner and the setting. It waits a little, because a process that was
# just killed still holds its port for a moment.
need_port() {
    local uid inode tries
    for tries in {1..20}; do
        read -r uid inode < <(listeners "$1") || return 0
        [ "$tries" = 20 ] || sleep 0.1
    done
    complain "port $1, which $3 needs, is taken by $(socket_owner "$uid" "$inode")"
    complain "end that process, or choose another port with $2"
    return 1
}
