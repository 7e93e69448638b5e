"""What the server can be asked about itself: metrics for Prometheus, and whether it takes logins.

Each worker counts in a :mod:`.tally`, its slot of a :mod:`.board`, memory that all processes of the
server share; what is counted is the table of :mod:`.figures`. A worker's slot outlives it, and the next
one goes on from there: no counter goes back. The supervisor is :mod:`.exporting`: it starts the
:mod:`.exporter`, a process of its own that is not root and has no file of the home, and tells it what
the store knows (:mod:`.gathered`). That one answers with :mod:`.exposition` and :mod:`.health`.
"""
