"""Access profiles: what users are given when they connect, and what is open to them.

profiles             the addresses, DNS servers and routes, checked for themselves
connection_settings  what their connection is told beside: sign-in, rules for names, proxy
ipv6                 the prefix that sessions get theirs of, and what goes with it
limits               how fast, how long, when and how much; of one user as well
hours                the hours of the week
quantities           rates, volumes and times as people write them
weak_sign_ins        ways to log in that are weaker, and closed unless a profile opens them
reach                what is closed to clients, and what a profile opens of it
destinations         where clients may go of the networks behind the server
networks             what is behind a client, and reached through it
"""
