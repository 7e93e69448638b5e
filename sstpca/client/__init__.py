"""The other end: an SSTP client, of the server's own packets and machines.

call      the client's SSTP: [MS-SSTP] 3.2
policies  what it asks for in LCP, IPCP and IPV6CP, and how it answers the server
sign_in   how it logs in: MS-CHAPv2 in CHAP, and PAP
eap       MS-CHAPv2 in EAP
link      its PPP, from the first frame to the last
session   both, and when IP may flow
line      a connection that a session is spoken through, step by step
"""
