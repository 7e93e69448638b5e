"""The database: its tables, and for each of them the module that alone writes it.

database      an open database: transactions that read or write
schema        the tables
migrations    from each version of them to the next
sqlite        what is SQLite's alone
prepared      statements that each login takes, run by the driver itself
users         who may log in, by which password
credentials   what is kept of a password
static        whether a user may always get an address or a prefix
networks      whether a user may have a network behind the client
logins        what a login is checked against
profiles      access profiles, and their pools of addresses
certificates  every certificate that was issued or taken in
bundles       every bundle that was made
sessions      who is connected through which worker, and what each login was promised
promised      the same, as values
usage         what each user has used on each day
limits        what users, their logins and sessions are held to
leases        which address a login is promised
pool_use      how many addresses are in use
prefixes      which IPv6 prefix goes with it
history       every session there was
totals        what users have used in whole months
failures      logins that failed
traces        packets of sessions, on their way to whoever waits for them
attempts      wrong passwords, and who is locked for them
"""

from .database import Store, Transaction, database_files

__all__ = ["Store", "Transaction", "database_files"]
