# Run in the guest: accel-ppp with SSTP.
#   accel.sh LIBRARIES FOLDER PASSWORD LOCAL DNS
# All of this machine is in /host; FOLDER is where accel-ppp is installed to. It runs until there is a file
# "stop" in /share, and starts again at "restart"; the certificate with its key is server.pem there.
libraries=$1 folder=/host$2 password=$3 local=$4 dns=$5
mkdir -p /host /var/log/accel-ppp
# the second form is that of kernels before 6.11
mount -n -t hostfs -o "hostfs=/" none /host 2>/dev/null || mount -n -t hostfs -o / none /host
modprobe ppp_async
cat >/etc/accel-ppp.conf <<END
[modules]
path=$folder/lib64/accel-ppp
log_file
sstp
auth_mschap_v2
chap-secrets
ippool
ipv6pool
ipv6_nd
[log]
log-file=/share/accel.log
level=5
[ppp]
verbose=1
mtu=1400
mru=1400
ipv4=require
ipv6=allow
[sstp]
verbose=1
accept=ssl
ssl-pemfile=/share/server.pem
ssl-keyfile=/share/server.pem
ip-pool=pool
[dns]
dns1=$dns
[ip-pool]
gw-ip-address=$local
${local%.*}.2-254,name=pool
[ipv6-pool]
2001:db8:97::/48,64
[client-ip-range]
disable
[chap-secrets]
gw-ip-address=$local
chap-secrets=/etc/ppp/chap-secrets
END
echo "alice * \"$password\" *" >/etc/ppp/chap-secrets
while [ ! -e /share/stop ]; do
    LD_LIBRARY_PATH=$folder/lib64/accel-ppp:$libraries \
        "$folder/sbin/accel-pppd" -c /etc/accel-ppp.conf >>/share/out.log 2>&1 &
    server=$!
    rm -f /share/restart
    until ss -Hltn | grep -q ':443 '; do
        kill -0 $server || exit 1
        sleep 0.2
    done
    touch /share/ready
    until [ -e /share/stop ] || [ -e /share/restart ]; do
        kill -0 $server || exit 1
        sleep 0.2
    done
    # it has a way to end in order, that waits for everybody
    kill -9 $server
    wait $server
done
exit 0
