# Run in the guest: install a bundle for Linux as its README says, connect, check, remove.
#   linux.sh WAY DESTINATION OTHER NAME [DESTINATION6]
# /share has the folder of the bundle; WAY is what install.sh takes. The password comes from the
# bundle, or from the file "typed". DESTINATION is pinged through the tunnel; OTHER is an address
# that a split tunnel leaves alone. NAME is what pppd knows the connection by. With DESTINATION6, there
# has to be IPv6 as well, and that is pinged.
# Exit code: 0 all well, 1 not installed, 2 no connection, 3 no ping, 4 no orderly end, 5 something
# is left. Prints "name value" lines.
export LC_ALL=C.UTF-8
way=$1 destination=$2 other=$3 name=$4 destination6=$5
out=/share
fail() {
    echo "failed $2"
    exit "$1"
}
has_address() {
    for try in $(seq 50); do
        ip -4 -o addr show ppp0 2>/dev/null | grep -q 'inet ' && return 0
        sleep 0.2
    done
    return 1
}
gone() {
    for try in $(seq 50); do
        [ -d /sys/class/net/ppp0 ] || return 0
        sleep 0.2
    done
    return 1
}
# What the next packet to an address goes out of.
through() {
    ip -o route get "$1" | sed 's/.* dev \([^ ]*\).*/\1/'
}
# What comes up after the interface does not come at once.
routed() {
    for try in $(seq 25); do
        [ "$(through "$destination")" = ppp0 ] && return 0
        sleep 0.2
    done
    return 1
}
resolver() {
    for try in $(seq 25); do
        grep -q '^nameserver 198.18.1.53' /etc/resolv.conf && return 0
        sleep 0.2
    done
    return 1
}
# All that the installer may touch; /etc/ppp/resolv.conf is pppd's own.
state() {
    find /etc/ppp /etc/sstpca /etc/NetworkManager -type f ! -name resolv.conf -exec ls -ld {} + -exec sha256sum {} + 2>/dev/null |
        sed 's/ [A-Z][a-z][a-z]  *[0-9]* [0-9:]* / /' | sort
}

if [ "$way" = networkmanager ]; then
    mkdir -p /run/dbus
    dbus-daemon --system
    # NetworkManager takes over only what udev has seen
    /lib/systemd/systemd-udevd --daemon
    udevadm trigger --action=add --subsystem-match=net
    udevadm settle
    NetworkManager --debug >$out/nm.log 2>&1 &
    nm-online -s -q -t 20
    # a VPN wants a connection of its own below it
    nmcli connection add type ethernet ifname vec0 con-name wire ipv4.method manual \
        ipv4.addresses "$(ip -4 -o addr show vec0 | sed 's/.*inet \([^ ]*\).*/\1/')" \
        ipv4.gateway "$(ip route show default | cut -d ' ' -f 3)" >>$out/connect.log 2>&1
    nmcli -w 20 connection up wire >>$out/connect.log 2>&1
fi
state >$out/before
for time in once again; do
    sh $out/install.sh $way <$out/typed >>$out/install.log 2>&1 || fail 1 "install.sh, $time"
    state >$out/$time
done
cmp -s $out/once $out/again || fail 1 "a second run changes something"
[ ! -e $out/password ] || fail 1 "the password is still in the folder"

# sstpc 1.0.18 gives up when its TLS handshake never has to wait for the server.
tc qdisc replace dev vec0 root netem delay 20ms
for try in 1 2 3; do
    if [ "$way" = networkmanager ]; then
        id=$(nmcli -e no -g NAME,TYPE connection show | sed -n 's/:vpn$//p')
        nmcli -w 25 connection up id "$id" >>$out/connect.log 2>&1 && break
    else
        pppd call $name updetach logfile $out/pppd.log debug >>$out/connect.log 2>&1 && break
    fi
done
has_address || fail 2 "no address"
[ "$way" = networkmanager ] && echo "id $id"
set -- $(ip -4 -o addr show ppp0)
echo "address $4"
echo "peer ${6%/*}"
resolver && echo "resolver yes"
routed || fail 3 "no route"
echo "other $(through "$other")"
ping -c 3 -W 2 "$destination" >$out/ping.log || fail 3 "no ping"
if [ -n "$destination6" ]; then
    for try in $(seq 50); do
        set -- $(ip -6 -o addr show dev ppp0 scope global -tentative)
        [ "$3" = inet6 ] && break
        sleep 0.2
    done
    echo "address6 $4"
    echo "way6 $(through "$destination6")"
    ping -6 -c 2 -W 5 "$destination6" >$out/ping6.log 2>&1 || fail 3 "no ping by IPv6"
fi

if [ "$way" = networkmanager ]; then
    nmcli connection down id "$id" >>$out/connect.log 2>&1
else
    poff $name
fi
gone || fail 4 "ppp0 is still there"
sh $out/uninstall.sh >>$out/install.log 2>&1 || fail 5 "uninstall.sh"
state >$out/after
cmp $out/before $out/after || fail 5 "something is left, or gone"
echo "end well"
