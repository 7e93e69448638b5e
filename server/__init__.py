"""The SSTP server: TLS, SSTP and PPP in user space, a TUN interface for each session.

The way of a byte from a client to the network (each name is a module)::

    service          the supervisor: firewall, cleaning up; all of it are the parts
    listening        the sockets that listen
    crew             forks workers, each with its keeper
    confinement      what a worker gives up before it speaks to strangers
    keeper           beside a worker: users, sessions, interfaces; root
    net.worker       one worker: accepts, and beats once a second
    net.entrance     TLS handshake and HTTP request, of strangers: bounded in time and number
    net.connection   one client: performs the effects of the machines below, and nothing else does
    net.lifecycle    where that client's connection is, and what is watched then: two tables
    dataplane        cuts the stream; IPv4 packets go from here to the TUN, and never further down
    session          the call and the link together, and when IP may flow
    sstp.call        control packets: connect, crypto binding, echo, disconnect
    ppp.link         PPP frames: LCP, the login (CHAP or EAP), IPCP
    responders       what a client asks the server itself inside the tunnel

The TLS of EAP-TLS is in ``net.eap_handshake``: what ``ppp`` wants of it is one more effect.

Beside that: ``metrics``, what it says of itself; ``hooks``, programs that hear of sessions; ``trace``, what
Wireshark is shown of one.

``sstp``, ``ppp``, ``responders`` and ``session`` do no I/O: bytes, answers and the time come in, effects go out.
What the server needs to know of users, leases and sessions it asks through ``contracts``; what it
is told when it starts is in ``config``, what it says in ``log``, which may go to ``log_targets``, what
it raises in ``errors``. What administrators tell it later comes by ``control``, and ``changing`` does it:
other settings, a drain, or another program, by ``takeover``. A service manager hands it sockets by
``activation`` and hears of it by ``notify``; ``heartbeat`` knows whether the workers live.
"""
