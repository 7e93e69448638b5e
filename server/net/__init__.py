"""Where the server meets the machine: sockets, TLS, TUN, nftables.

A :mod:`.worker` accepts; :mod:`.entrance` sees to :mod:`.strangers`, with :mod:`.tls`: by
:mod:`.sources`, which pay for it, after a look at their :mod:`.hello`, in :mod:`.handshakes`; which
certificate they are shown depends on their :mod:`.offer`. A
:mod:`.connection` performs what its session (:mod:`.beginning`) asks for, with what is :mod:`.shared` in the worker, and
takes a little of its :mod:`.backlog` in each turn; who is at its other end, and what is told of that, the
:mod:`.caller` has, and the :mod:`.failures` are on their way to the store. Its states are the tables of :mod:`.lifecycle`, by
which the event loop keeps :mod:`.watch`; :mod:`.closing` is for what comes behind the last of them.
:mod:`.inside` is the tunnel, with what a client asks us there; :mod:`.admission` lets a client in, :mod:`.eap_handshake` is the TLS within EAP. Packets go to the
:mod:`.interface` of the session, a :mod:`.tun` that :mod:`.netlink` sets up in one of the
:mod:`.threads`, as fast as :mod:`.shaping` lets it be, and through the :mod:`.firewall`, which knows by
the interface's :mod:`.group` what they may, and by :mod:`.destinations` where they may go;
:mod:`.networks` leads to what is behind a client; :mod:`.forwarding` (:mod:`.forwarding_ipv6`) lets no others through, and
:mod:`.conntrack` forgets the connections of whoever had the address before. The :mod:`.rules` stay
while the server runs, and by its :mod:`.presence` others know that it does; they get into the kernel
by :mod:`.nft`.
"""
