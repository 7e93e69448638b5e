"""What can be done with a VPN: each use case one call, whoever asks.

    vpn             the VPN itself, with all these as its groups
    opened          what they share: home, settings, database, keys
    users, profiles, sessions, lockouts, bundles, administrators, certificates, transfer, authority,
    rollover, rename, service, running   a group of verbs each

What some of them rest on::

    setup           makes a home
    making          from users to bundles, recorded and told; untold keeps passwords until then
    renaming        the steps of a renaming, and their order
    importing       takes over accounts of other programs
    linting         what Windows objects to, as a home knows it
    examining       what the Windows client would see of a server, step by step
    diagnosing      what may keep users from connecting, as the server's machine can see
    failed_logins   why logins have failed lately
    user_reports    what the report means that verify.cmd wrote on a user's PC
    support         a report for whoever helps, without secrets; standins stand for names and addresses
                    in it, journal has the last lines of the log
    explaining      what an error of Windows means, why it comes, and what to do
    status          how it is, on one screen
    tracing         writes down the packets of a session
    connecting      this machine as the client of a server, by a name or a bundle; client_certificate
                    reads what it may log in with, and kept makes a service of it
    doubts          what may not be meant about an access profile
    sendable        which names and passwords the clients of a platform cannot send
"""
