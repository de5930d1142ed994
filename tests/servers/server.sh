# What the scripts beside this one share. It is sourced by them, never run.
#
# A server lives in a folder: `data`, `log`, `port`, and a socket. Its processes are led by one whose number is in a file
# there. When the caller is root it runs as the account that its package has made, for both servers refuse root.
set -euo pipefail
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
kind=${0##*/}
user=tickward

# What has to be installed first is no failure of ours: exit code 77.
lacks_program() {
    echo "tests/servers/$kind: $*" >&2
    exit 77
}

# Nor is what the caller may not do: exit code 78.
lacks_right() {
    echo "tests/servers/$kind: $*" >&2
    exit 78
}

fail() {
    echo "tests/servers/$kind: $*" >&2
    exit 1
}

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" | grep -v '^\. ' >&2
    exit 2
}

# need PACKAGE PROGRAM…: on Debian and Ubuntu, PACKAGE has them.
need() {
    local program
    for program in "${@:2}"; do
        command -v "$program" >/dev/null || lacks_program "\`${program##*/}\` is missing: sudo apt-get install $1"
    done
}

# find_folder FOLDER: its full path; false where there is none.
find_folder() {
    [ -d "$1" ] && folder=$(cd "$1" && pwd -P)
}

# register FOLDER: whoever runs us for a while (`run`) removes what its tests leave behind. First of all, so that nothing
# comes to be that is not known there.
register() {
    [ -n "${TICKWARD_TEST_SERVERS:-}" ] || return 0
    case $1 in /*) ;; *) set -- "$PWD/$1" ;; esac
    ln -s "$1" "$TICKWARD_TEST_SERVERS/$kind.$$"
}

# take_folder FOLDER ACCOUNT PACKAGE: makes it and gives it to the account that PACKAGE makes; `"${as[@]}" COMMAND…` then
# runs as that account, with an environment in which no variable of the caller's steers a server or its tools.
take_folder() {
    mkdir -p "$1"
    find_folder "$1"
    # Temporary files of its own: MariaDB removes those that others have in the same place, when it starts.
    mkdir -p "$folder/tmp"
    as=(env -i PATH="$PATH" HOME="$folder" TMPDIR="$folder/tmp" LC_ALL=C.UTF-8)
    if [ "$(id -u)" = 0 ]; then
        id "$2" >/dev/null 2>&1 || lacks_program "there is no user \`$2\`: sudo apt-get install $3"
        chown "$2" "$folder" "$folder/tmp"
        as+=(setpriv "--reuid=$2" "--regid=$(id -g "$2")" --init-groups --)
    fi
    # Whoever could read it could become the account: both servers run programs for their first user.
    chmod 700 "$folder"
    cd "$folder"
    "${as[@]}" test -w "$folder" || fail "\`$2\` cannot enter \`$folder\`: a folder above it keeps others out"
    [ ${#folder} -le 80 ] || fail "\`$folder\` is too long for the path of a socket"
}

# write FILE: what it reads, into a file of the account.
write() {
    "${as[@]}" sh -c 'umask 077; cat >"$1"' sh "$1"
}

# The password of the server's first user: made once, for nobody else on this machine.
choose_password() {
    [ -s "$folder/password" ] || head -c 12 /dev/urandom | od -An -tx1 | tr -d ' ' | write "$folder/password"
    password=$(cat "$folder/password")
}

# small_disk MEGABYTES: `data` is a file system of that size.
small_disk() {
    [ "$(id -u)" = 0 ] || lacks_right "only root can make a small disk"
    mkdir -p "$folder/data"
    if ! is_mounted; then
        mount -t tmpfs -o "size=$1m" tickward-test "$folder/data" 2>"$folder/mount.log" ||
            lacks_right "root may not mount here: $(cat "$folder/mount.log")"
        chown --reference="$folder" "$folder/data"
        chmod 700 "$folder/data"
    fi
}

is_mounted() {
    grep -qF " $folder/data " /proc/mounts
}

# make_certificates: a CA, and a certificate of it for localhost and 127.0.0.1, in `tls`.
make_certificates() {
    need openssl openssl
    [ ! -e "$folder/tls/server.pem" ] || return 0
    "${as[@]}" mkdir -p tls
    "${as[@]}" sh -c '
        set -e
        umask 077
        new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "tls/$1.key"; }
        new_key ca && new_key server
        openssl req -x509 -new -key tls/ca.key -out tls/ca.pem -days 30 -subj "/CN=a CA for tests" \
            -addext "keyUsage=critical,keyCertSign,cRLSign"
        openssl req -new -key tls/server.key -out tls/server.csr -subj "/CN=localhost"
        printf "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n" >tls/server.ext
        openssl x509 -req -in tls/server.csr -CA tls/ca.pem -CAkey tls/ca.key -CAcreateserial -days 30 \
            -extfile tls/server.ext -out tls/server.pem
    ' >"$folder/tls.log" 2>&1 || fail "no certificates: $(cat "$folder/tls.log")"
    chmod 711 "$folder/tls"
    chmod 644 "$folder/tls/ca.pem"
    # Clients of other users read the CA, and nothing else.
    chmod 711 "$folder"
}

# on_a_free_port LAUNCH: calls `LAUNCH PORT`, at first with the port of the last time, until a server is there. One that
# found its port taken by somebody faster is tried again on another.
on_a_free_port() {
    local attempt port
    for attempt in {1..30}; do
        port=$((20000 + RANDOM % 12000))
        if [ "$attempt" = 1 ] && [ -s "$folder/port" ]; then
            port=$(cat "$folder/port")
        elif (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            continue
        fi
        if "$1" "$port"; then
            echo "$port" >"$folder/port"
            return
        fi
        grep -qE 'Address (already )?in use' "$folder/log" || break
    done
    fail "it does not start:
$(tail -n 20 "$folder/log" 2>/dev/null)"
}

# in_background LOG READY COMMAND…: COMMAND as a daemon, until LOG has the text READY; false if it ends before.
in_background() {
    local ready=$2 waited
    # Its own process group: an interrupt at the terminal is for whoever uses the server. While its number is unknown to
    # others nothing may end us.
    trap : INT TERM HUP
    "${as[@]}" sh -c ': >"$1"' sh "$1"
    set -m
    "${as[@]}" "${@:3}" </dev/null >>"$1" 2>&1 &
    echo $! >"$folder/pid"
    disown
    set +m
    trap - INT TERM HUP
    for waited in {1..1200}; do
        [[ $(<"$1") != *"$ready"* ]] || return 0
        # By its number alone: what it is called changes while it becomes the server.
        kill -0 "$(<"$folder/pid")" 2>/dev/null || return 1
        sleep 0.05
    done
    end_process KILL
    return 1
}

# Whether the process of `pid` is there and still ours: not a stranger with the same number, nor a corpse that nobody has
# taken away. It is no corpse while one of its threads is at work, for that has the files open.
is_running() {
    local pid threads
    [ -s "$folder/pid" ] && pid=$(<"$folder/pid") && kill -0 "$pid" 2>/dev/null || return 1
    [ -d /proc/self ] || return 0
    if grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null; then
        threads=("/proc/$pid/task"/*)
        [ ${#threads[@]} -gt 1 ]
    else
        grep -qaF "$folder" "/proc/$pid/cmdline" 2>/dev/null
    fi
}

# end_process SIGNAL: sends it to the process of `pid`, and waits until that is gone.
end_process() {
    ! is_running || kill "-$1" "$(<"$folder/pid")" 2>/dev/null || true
    wait_for_end
}

wait_for_end() {
    local waited
    for waited in {1..1200}; do
        is_running || { rm -f "$folder/pid"; return 0; }
        sleep 0.05
    done
    fail "process $(<"$folder/pid") does not end"
}

# Removes the folder and what is mounted there. The server is stopped.
remove_folder() {
    cd /
    ! is_mounted || umount "$folder/data" || umount -l "$folder/data"
    rm -rf "$folder"
}
