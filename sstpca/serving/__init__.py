"""From a home to a running server: the toolkit's end of the server's interfaces.

server     runs it
directory  who may log in
sessions   sessions and leases, in the home's database
"""
