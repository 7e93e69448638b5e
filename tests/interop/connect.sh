# Run in the guest: connect with sstpc and pppd, check, hang up in order, report.
#   connect.sh HOST PORT USER PASSWORD CA SECONDS DESTINATION
# CA is a PEM file. DESTINATION is pinged through the tunnel; with SECONDS other than 0, iperf3 also
# runs against it for so long each way.
# Exit code: 0 all well, 1 no connection or no address, 2 no ping, 3 no iperf3, 4 no orderly end.
# Prints "name value" lines; the logs are beside the script.
host=$1 port=$2 user=$3 password=$4 ca=$5 seconds=$6 destination=$7
out=/share
# sstpc 1.0.18 gives up ("The event loop terminated unsuccessfully") when a TLS handshake never
# has to wait for the server, which a server this near can manage.
tc qdisc replace dev vec0 root netem delay 5ms
# Its debug log has each SSTP packet; while measuring, that would be the bottleneck.
level=5
[ "$seconds" = 0 ] || level=1

# Without refuse-* the server could choose another way to log in; require-mschap-v2 would ask the
# server to log in here.
sstpc --log-level $level --log-stderr --ca-cert "$ca" --user "$user" --password "$password" \
    "$host:$port" -- debug logfile $out/pppd.log noauth refuse-pap refuse-chap refuse-mschap \
    refuse-eap usepeerdns nodeflate nobsdcomp nodefaultroute >$out/sstpc.log 2>&1 &
sstpc=$!
fail() {
    echo "failed $2"
    exit "$1"
}

for try in $(seq 150); do
    ip -4 -o addr show ppp0 2>/dev/null | grep -q 'inet ' && break
    kill -0 $sstpc 2>/dev/null || fail 1 "sstpc ended"
    sleep 0.2
done
set -- $(ip -4 -o addr show ppp0 2>/dev/null)
[ "$3" = inet ] && [ "$5" = peer ] || fail 1 "no address on ppp0"
echo "address $4"
echo "peer ${6%/*}"
echo "mtu $(cat /sys/class/net/ppp0/mtu)"
sed -n 's/^nameserver/dns/p' /etc/ppp/resolv.conf

ip route replace "$destination" dev ppp0
# The second fills the tunnel's MTU: 20 bytes of IP, 8 of ICMP; it must not be cut.
ping -c 3 -W 2 "$destination" >$out/ping.log || fail 2 "no ping"
ping -c 1 -W 2 -M do -s $(($(cat /sys/class/net/ppp0/mtu) - 28)) "$destination" \
    >>$out/ping.log || fail 2 "no ping of full size"

if [ "$seconds" != 0 ]; then
    tc qdisc del dev vec0 root
    for way in up down; do
        [ $way = down ] && reverse=-R || reverse=
        iperf3 $reverse -t "$seconds" -J -c "$destination" >$out/iperf-$way.json ||
            fail 3 "iperf3 $way"
    done
fi

# Ending pppd is the orderly way out: LCP Terminate-Request, then sstpc ends.
kill "$(head -n 1 /run/ppp0.pid)"
for try in $(seq 50); do
    kill -0 $sstpc 2>/dev/null || {
        echo "ended in order"
        exit 0
    }
    sleep 0.2
done
fail 4 "sstpc still runs 10 s after pppd was told to end"
