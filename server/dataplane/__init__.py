"""The hot path: TLS bytes to IP packets to TUN, and back.

The :mod:`.stream` is TLS through memory; :mod:`.inbound` cuts what comes out of it, and
:mod:`.outbound` packs what goes into it.
"""
