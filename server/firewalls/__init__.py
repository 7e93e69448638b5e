"""The firewalls of others on this machine: whether they let the VPN through, and how they can.

:mod:`.filters` are rules, whoever wrote them, and what becomes of a packet; they are read from what
:mod:`.iptables` and :mod:`.nftables` list. :mod:`.findings` says what blocks the VPN, and the commands
that help, out of what :mod:`.commands` has heard. :mod:`.opening` runs them, and takes them back.
"""
