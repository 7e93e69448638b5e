"""From a home to a running server: the toolkit's end of the server's contracts.

server     runs it
checks     whether it would start; holders, who has its port
directory  who may log in
past       how long what was is remembered
figures    what metrics say of the home
limiting   what sessions are held to while they run
backend    what each worker keeps in the home's database: sessions and leases
"""
