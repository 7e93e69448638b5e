# Run in the guest: sorz' sstp-server, with pppd.
#   sorz.sh PYTHON LIBRARIES FOLDER PASSWORD LOCAL DNS
# All of this machine is in /host. It runs until there is a file "stop" in /share, and starts again at
# "restart"; the certificate with its key is server.pem there.
python=$1 libraries=$2 folder=$3 password=$4 local=$5 dns=$6
mkdir /host
# the second form is that of kernels before 6.11
mount -n -t hostfs -o "hostfs=/" none /host 2>/dev/null || mount -n -t hostfs -o / none /host
modprobe ppp_async
# it needs the binding only where sstp-client's plug-in is: here
cat >/etc/ppp/options.sstpd <<END
name sstpd
require-mschap-v2
nodefaultroute
nologfd
debug
logfile /share/pppd.log
ms-dns $dns
END
echo "alice * \"$password\" *" >/etc/ppp/chap-secrets
serve() {
    LD_LIBRARY_PATH=$libraries PYTHONPATH=/host$folder exec "$python" -c 'import sstpd; sstpd.run()' \
        --listen 0.0.0.0 --listen-port 443 --pem-cert /share/server.pem \
        --local "$local" --remote "${local%.*}.0/24" >>/share/sstpd.log 2>&1
}
while [ ! -e /share/stop ]; do
    serve &
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
    kill $server $(cat /run/ppp*.pid 2>/dev/null | head -n 1)
    wait $server
done
exit 0
