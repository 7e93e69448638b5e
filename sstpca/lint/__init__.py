"""What Windows objects to in certificates, and in what a running server shows.

checks        all of them, of a chain
probe         asks a running server for its chain
readable      a certificate as it is looked at
findings      what is said of it
leaf, eap, host_names, chain   the checks
"""
