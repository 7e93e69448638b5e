# Run SoftEther VPN with a hub, its own NAT and DHCP server, and SSTP.
#   softether.sh BUILD SHARE PASSWORD LOCAL
# BUILD has vpnserver, vpncmd and hamcore.se2. It runs until there is a file "stop" in SHARE, and starts
# again at "restart"; the certificate and its key are server.crt and server.key there.
# -m: it is two processes, and a group
set -eum
build=$1 share=$2 password=$3 local=$4
network=${local%.*}
# it keeps all its files beside itself
cd "$share"
cp "$build/vpnserver" "$build/vpncmd" "$build/hamcore.se2" .
chmod 700 vpnserver vpncmd
cat >commands <<END
HubCreate VPN /PASSWORD:hub
Hub VPN
UserCreate alice /GROUP:none /REALNAME:none /NOTE:none
UserPasswordSet alice /PASSWORD:"$password"
SecureNatEnable
SecureNatHostSet /MAC:none /IP:$local /MASK:255.255.255.0
DhcpSet /START:$network.10 /END:$network.200 /MASK:255.255.255.0 /EXPIRE:7200 /GW:$local /DNS:$local /DNS2:none /DOMAIN:none /LOG:no /PUSHROUTE:"$network.0/255.255.255.0/$local"
ServerCertSet /LOADCERT:server.crt /LOADKEY:server.key
SstpEnable yes
Flush
END
trap 'kill -9 -- -$server 2>/dev/null' EXIT
command=commands
while [ ! -e stop ]; do
    ./vpnserver execsvc &
    server=$!
    rm -f restart
    until ss -Hltn | grep -q ':5555 '; do
        kill -0 $server
        sleep 0.2
    done
    if [ -n "$command" ]; then
        ./vpncmd localhost:5555 /SERVER /IN:$command
        command=
    fi
    touch ready
    until [ -e stop ] || [ -e restart ]; do
        kill -0 $server
        sleep 0.2
    done
    kill -9 -- -$server
    wait $server || true
done
