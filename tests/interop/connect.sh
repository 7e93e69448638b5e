# Run in the guest: connect with sstpc and pppd, check, do something, report.
#   connect.sh HOST PORT USER PASSWORD CA DESTINATION TASK [WAY [DESTINATION6]]
# CA is a PEM file. DESTINATION is pinged through the tunnel. WAY is mschapv2, eap-mschapv2, pap,
# chap-md5, or for EAP-TLS 1.2 or 1.3, with the key and the certificate in user.key and user.crt beside the
# script. With DESTINATION6, there has to be IPv6 as well, and that is pinged.
# TASK is
#   leave   hang up
#   iperf   run iperf3 against DESTINATION both ways, then hang up
#   stay    wait until the server ends the session
# Exit code: 0 all well, 1 no connection or no address, 2 no ping, 3 no iperf3, 4 no orderly end.
# Prints "name value" lines; the logs are beside the script.
host=$1 port=$2 user=$3 password=$4 ca=$5 destination=$6 task=$7 way=${8:-mschapv2} destination6=$9
out=/share
# Without refuse-* the server could choose another way to log in.
weak="refuse-pap refuse-chap"
case $way in
mschapv2) login=refuse-eap ;;
eap-mschapv2) login=refuse-mschap-v2 ;;
pap) login="refuse-eap refuse-mschap-v2" weak=refuse-chap ;;
chap-md5) login="refuse-eap refuse-mschap-v2" weak=refuse-pap ;;
1.*)
    login="user $user refuse-mschap-v2 max-tls-version $way"
    login="$login ca $ca cert /share/user.crt key /share/user.key"
    ;;
esac
# Its debug log has each SSTP packet; while measuring, that would be the bottleneck.
level=5
[ "$task" = iperf ] && level=1
fail() {
    echo "failed $2"
    exit "$1"
}
# require-mschap-v2 would ask the server to log in here.
options="debug logfile $out/pppd.log noauth $weak refuse-mschap $login usepeerdns"
options="$options nodeflate nobsdcomp nodefaultroute"
[ -n "$destination6" ] && options="$options +ipv6"
# sstpc makes the key of the binding from the password; that of EAP-TLS its plugin gets from pppd.
dial() {
    case $way in
    1.*)
        exec pppd nodetach pty "sstpc --log-level $level --log-stderr --nolaunchpppd \
            --ipparam lab --ca-cert $ca $host:$port" ipparam lab \
            plugin sstp-pppd-plugin.so sstp-sock /run/sstpc/sstpc-lab $options
        ;;
    esac
    exec sstpc --log-level $level --log-stderr --ca-cert "$ca" --user "$user" \
        --password "$password" "$host:$port" -- $options
}
# Returns whether there is an address.
connect() {
    dial >$out/sstpc.log 2>&1 &
    sstpc=$!
    for try in $(seq 150); do
        ip -4 -o addr show ppp0 2>/dev/null | grep -q 'inet ' && return 0
        kill -0 $sstpc 2>/dev/null || return 1
        sleep 0.2
    done
    fail 1 "no address after 30 s"
}
gone() {
    for try in $(seq "$1"); do
        kill -0 $sstpc 2>/dev/null || return 0
        sleep 0.2
    done
    return 1
}

# sstpc 1.0.18 gives up, with the words below, when its TLS handshake never has to wait for the
# server. One this near can manage that, even with the delay when the guest itself is slow.
tc qdisc replace dev vec0 root netem delay 20ms
for try in 1 2 3; do
    connect && break
    ! grep -aqs 'rcvd \[' $out/pppd.log && grep -aq 'event loop terminated unsuccessfully' $out/sstpc.log ||
        fail 1 "sstpc ended"
    echo "again sstpc gave up"
done
set -- $(ip -4 -o addr show ppp0 2>/dev/null)
[ "$3" = inet ] && [ "$5" = peer ] || fail 1 "no address on ppp0"
mtu=$(cat /sys/class/net/ppp0/mtu)
echo "address $4"
echo "peer ${6%/*}"
echo "mtu $mtu"
sed -n 's/^nameserver/dns/p' /etc/ppp/resolv.conf

if [ -n "$destination6" ]; then
    for try in $(seq 50); do
        set -- $(ip -6 -o addr show dev ppp0 scope global -tentative)
        [ "$3" = inet6 ] && break
        sleep 0.2
    done
    echo "address6 $4"
    ip -6 route show dev ppp0 >$out/routes6.log
    ping -6 -c 2 -W 5 "$destination6" >$out/ping6.log 2>&1 || fail 2 "no ping by IPv6"
fi
ip route replace "$destination" dev ppp0
ping -c 3 -W 2 "$destination" >$out/ping.log || fail 2 "no ping"
# As large as the interface takes, in one piece: 20 bytes are IP's, 8 ICMP's.
ping -c 1 -W 2 -M do -s $((mtu - 28)) "$destination" >>$out/ping.log || fail 2 "no ping of $mtu"

if [ "$task" = iperf ]; then
    tc qdisc del dev vec0 root
    for way in up down; do
        [ $way = down ] && reverse=-R || reverse=
        # On a busy machine iperf3 now and then ends well, and without a result.
        for _ in 1 2 3; do
            iperf3 $reverse -t 3 -J -c "$destination" >$out/iperf-$way.json || fail 3 "iperf3 $way"
            grep -q sum_received $out/iperf-$way.json && break
            sleep 1
        done
    done
fi

if [ "$task" = stay ]; then
    touch $out/connected
    gone 150 || fail 4 "sstpc still runs 30 s later"
    echo "end by the server"
    exit 0
fi
# Ending pppd is the orderly way out: LCP Terminate-Request, then sstpc ends.
kill "$(head -n 1 /run/ppp0.pid)"
gone 50 || fail 4 "sstpc still runs 10 s after pppd was told to end"
echo "end by the client"
