"""What a Windows client would object to in a server, tried step by step; and the server's machine.

outcome      what a step came to
reaching     names and ports, and what answers there
revocation   the places where a certificate says whether it is revoked
dialogue     HTTP, the call, and how users may log in
tunnel       a login, and what works inside
packets      the IP packets for that
machine      the server's own machine: where names lead, networks that overlap, the clock
user_report  what verify.cmd found on a user's PC
"""
