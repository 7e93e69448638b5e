"""The packets of one session as they were inside of TLS, for Wireshark.

A :mod:`.tap` at a connection's data plane, where one is wanted, takes copies; what is secret in them is
:mod:`.blank` before they leave the worker, as :mod:`.records`, and who asked for them writes
:mod:`.pcapng`. Which connections are wanted, :mod:`.orders` has.
"""
