"""[MS-SSTP]: the HTTP preamble, the packets, the call and its crypto binding; no I/O.

After the :mod:`.preamble`, :mod:`.wire` turns bytes into packets. The :mod:`.call` walks through
the table in :mod:`.states`, as :mod:`.common` has it for both ends; :mod:`.connect_request` judges how
it begins, :mod:`.binding` the proof.
What is to be done comes back as :mod:`.effects`.
"""
