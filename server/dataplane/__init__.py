"""The hot path: TLS bytes to IP packets to TUN, and back.

openssl    TLS in memory, by Python's ssl
stream     the same over a socket, so much in each turn
inbound    what comes out of it is cut into SSTP packets
outbound   what the TUN gives is packed, and sent as the socket takes it
queue      what waits for that, in turns (FQ-CoDel)
path       how much of it may wait, here and in the kernel, by what the kernel knows of the way
segments   many IP packets in one, as the kernel has them: the words for it
merging    such a large one of what a client sends
diversion  what of that does not go to the TUN: it asks the server itself, or is for everybody
cutting    what a client is sent out of such a large one
engine     which runs: the last three, or the same compiled (_segments.c); openssl, or that (_tls.c)
"""
