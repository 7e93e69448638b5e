"""The other end: an SSTP client, of the server's own packets and machines.

What does no I/O:

call      the client's SSTP: [MS-SSTP] 3.2
policies  what it asks for in LCP, IPCP and IPV6CP, and how it answers the server
sign_in   how it logs in: MS-CHAPv2 in CHAP, and PAP
eap       EAP, and MS-CHAPv2 in it
eap_tls   TLS in EAP, in pieces
link      its PPP, from the first frame to the last
session   both, and when IP may flow
http      how a connection is opened
dhcp      the question that Windows asks after a login

What looks at a server without an interface of its own:

line      a connection that a session is spoken through, step by step

What connects a machine:

inner_tls    the handshake in EAP-TLS, and certificate_names whom a certificate is for
keeping      dials, sets up, and dials again; back_off says when
dialing      TCP, a proxy, TLS, HTTP
tunnel       one session between TLS and an interface
network      the interface, its addresses and routes
outside      the way to the server, beside that
asking       what the server pushes by DHCP
resolver     the machine's DNS
kill_switch  lets nothing pass beside the tunnel
"""
