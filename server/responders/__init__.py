"""What a client asks the server itself inside the tunnel, and what it is answered. No I/O.

A responder is a function: one whole IP packet goes in, of those that the data plane has diverted
(dataplane/diversion.py says which), with what the session knows; whole IP packets come out, none or
several, that go to the client. It knows no other packet before this one, and what it does not
understand it does not answer. The packet is hostile: nothing of it is checked but what diverted it.

known      what a responder is, and what it is told beside the packet
answers    the session's responders, and how often they are asked
dhcp       DHCPINFORM: DNS servers and suffix, the routes of a split tunnel
routers    router advertisements, and that the router is there
dhcpv6     stateless DHCPv6: DNS servers and suffix
udp        datagrams in IPv4 packets
ipv6       datagrams and ICMPv6 messages in IPv6 packets
names      domain names on the wire
"""
