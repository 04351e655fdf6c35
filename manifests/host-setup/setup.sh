#!/bin/sh
# Prepares a Docker host for room137: one user that may read, one that may act, and nothing more for either.
# Run as root, again whenever a key or a file here has changed. What each part allows: README.md beside this file.
set -eu

usage() {
    echo "usage: setup.sh install --read-key <file.pub> [--act-key <file.pub>]" >&2
    echo "       setup.sh remove" >&2
    exit 2
}

here=$(cd "$(dirname "$0")" && pwd)
read_user=${ROOM137_READ_USER:-room137}
act_user=${ROOM137_ACT_USER:-room137-act}
filter_user=${ROOM137_FILTER_USER:-room137-filter}
docker_socket=${ROOM137_DOCKER_SOCKET:-/var/run/docker.sock}
config_dir=${ROOM137_CONFIG_DIR:-/etc/room137}
lib_dir=${ROOM137_LIB_DIR:-/usr/local/lib/room137}
home_dir=${ROOM137_HOME_DIR:-/var/lib}
sudoers=/etc/sudoers.d/$read_user
unit=/etc/systemd/system/room137-docker-filter.service

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022

stop() {
    echo "setup.sh: $1" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null 2>&1 || stop "$1 is missing; install it first: apt-get install $2"
}

has_systemd() { [ -d /run/systemd/system ]; }

# No password fits "*", and an account that has it is not locked, so that sshd takes the key.
add_user() {
    getent group "$1" >/dev/null || groupadd --system "$1"
    getent passwd "$1" >/dev/null && return 0
    useradd --system --gid "$1" --no-create-home --home-dir "$home_dir/$1" --shell "$2" --password '*' "$1"
}

# Everything in the home belongs to root: whoever has the key cannot change what the key may do.
authorize() {
    user=$1 key_file=$2 options=$3
    [ -f "$key_file" ] || stop "there is no key file $key_file"
    [ "$(grep -c . "$key_file")" = 1 ] || stop "$key_file must hold exactly one public key"
    ssh-keygen -l -f "$key_file" >/dev/null || stop "$key_file holds no public key"
    install -d -m 755 -o root -g root "$home_dir/$user" "$home_dir/$user/.ssh"
    { printf '%s ' "$options"; cat "$key_file"; } >"$home_dir/$user/.ssh/authorized_keys.new"
    mv "$home_dir/$user/.ssh/authorized_keys.new" "$home_dir/$user/.ssh/authorized_keys"
}

# Exactly the commands of src/hosts/commands.ts; "" after dmesg means without arguments.
allow_kernel_log() {
    dmesg=$(command -v dmesg) journalctl=$(command -v journalctl || echo /usr/bin/journalctl)
    {
        echo "# Written by room137 host-setup: the kernel log, and nothing else."
        echo "Defaults:$read_user !requiretty, !lecture"
        echo "$read_user ALL=(root) NOPASSWD: $dmesg \"\", $journalctl -k -o short-unix --no-pager -n 20000"
    } >"$config_dir/sudoers.new"
    visudo -c -q -f "$config_dir/sudoers.new" || stop "the sudoers lines are not accepted"
    install -m 440 -o root -g root "$config_dir/sudoers.new" "$sudoers"
    rm -f "$config_dir/sudoers.new"
}

install_filter() {
    install -m 644 -o root -g root "$here/docker-filter.cfg" "$config_dir/docker-filter.cfg"
    if ! has_systemd; then
        echo "no systemd here: run haproxy -db -f $config_dir/docker-filter.cfg as $filter_user, with the groups of the unit file"
        return 0
    fi
    sed -e "s/^\(User\|Group\)=.*/\1=$filter_user/" \
        -e "s/^SupplementaryGroups=.*/SupplementaryGroups=$(stat -c %G "$docker_socket") $read_user $act_user/" \
        -e "s|^RuntimeDirectory=|Environment=ROOM137_READ_GROUP=$read_user ROOM137_ACT_GROUP=$act_user ROOM137_DOCKER_SOCKET=$docker_socket\n&|" \
        "$here/room137-docker-filter.service" >"$unit.new"
    mv "$unit.new" "$unit"
    systemctl daemon-reload
    systemctl enable room137-docker-filter.service
    systemctl restart room137-docker-filter.service
}

install_all() {
    need haproxy haproxy
    need sudo sudo
    need visudo sudo
    need ssh-keygen openssh-client
    [ -S "$docker_socket" ] || stop "there is no Docker socket at $docker_socket; set ROOM137_DOCKER_SOCKET"
    add_user "$read_user" /bin/sh
    add_user "$act_user" /bin/sh
    add_user "$filter_user" "$(command -v nologin)"
    install -d -m 755 -o root -g root "$config_dir" "$lib_dir"
    install -m 755 -o root -g root "$here/room137-read" "$lib_dir/room137-read"
    authorize "$read_user" "$read_key" "restrict,port-forwarding,command=\"$lib_dir/room137-read\""
    if [ -n "$act_key" ]; then
        authorize "$act_user" "$act_key" "restrict,port-forwarding,command=\"$(command -v nologin)\""
    fi
    allow_kernel_log
    install_filter
    echo "ready: $read_user reads through docker-read.sock, $act_user acts through docker-act.sock"
}

remove_all() {
    if has_systemd && [ -f "$unit" ]; then systemctl disable --now room137-docker-filter.service || true; fi
    rm -f "$unit" "$sudoers"
    for user in "$read_user" "$act_user" "$filter_user"; do
        if getent passwd "$user" >/dev/null; then userdel "$user"; fi
        if getent group "$user" >/dev/null; then groupdel "$user"; fi
        rm -rf "${home_dir:?}/$user"
    done
    rm -rf "$config_dir/docker-filter.cfg" "$lib_dir"
    rmdir "$config_dir" 2>/dev/null || true
    if has_systemd; then systemctl daemon-reload; fi
    echo "removed: users, keys, sudoers line and filter"
}

[ "$(id -u)" = 0 ] || stop "run it as root"
[ $# -gt 0 ] || usage
verb=$1
shift
read_key='' act_key=''
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || usage
    case $1 in
        --read-key) read_key=$2 ;;
        --act-key) act_key=$2 ;;
        *) usage ;;
    esac
    shift 2
done
case $verb in
    install) [ -n "$read_key" ] || usage; install_all ;;
    remove) remove_all ;;
    *) usage ;;
esac
