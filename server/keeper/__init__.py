"""The keeper: beside each worker, the process that has what the worker must not have.

A worker speaks to strangers, as a user who may nothing. Its keeper is root, has the home's database
open, makes interfaces, and speaks to that worker alone, through two sockets: by one it is asked for
users, sessions and certificates, one call at a time, by the other for interfaces, several at once.

process     the keeper's process: what it has, and its threads
contract    what a worker may ask
directory   who logs in: passwords are judged here
sessions    which leases were promised to it
interfaces  the kernel work for them
identity    the server's certificates for it
answering   the keeper's end of a socket
line        the worker's end, and what stands there for the objects of the keeper
calls       what can be called, by the contracts' annotations
codec       values as text, strictly
"""
