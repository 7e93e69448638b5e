"""Accounts as other programs keep them, to be taken over.

accounts       what they come to: accounts, access profiles, and what cannot be kept
table          CSV, as spreadsheets write it
limit_cells    limits in one cell of that
chap_secrets   pppd's and accel-ppp's chap-secrets
routeros       what RouterOS exports of /ppp and /ip pool
softether      SoftEther's vpn_server.config
reading        which of these a file is

Nothing here knows a home: text comes in, values come out.
"""
