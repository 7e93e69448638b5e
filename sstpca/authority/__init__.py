"""What a home keeps of its authority.

What there is::

    authority       signs, and is trusted
    identity        the server's key, certificate and chain
    pairs           a key with its certificate, one file each
    reconciliation  the inventory takes in what is in place already

What is done with them::

    issuing         issues, renews, rekeys
    requests        asks another authority; importing makes the server's identity of its answer
    revocation      revokes; lists of what is revoked
    rollover        from one authority to the next; succession puts its files in place
    due, calendar   what expires when
    backup, sealed  the whole home in one file, encrypted; backup_folder: the last ones of them
"""
