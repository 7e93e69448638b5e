"""Values of X.509; no home, no database.

What there is::

    certificates          what is in one; PEM and fingerprints
    certificate_profiles  what each kind of certificate contains
    subjects              the names that it is for, checked
    name_constraints      which of them an authority may give
    keys                  private keys; stretching makes their passphrases work
    pair                  a key with its certificate and chain
    describe              a certificate in people's words
    chains, roots         the path to a root; the roots that this machine trusts

Formats::

    loading               a certificate read to its last field; extensions has those of others
    parsing               files of any format
    pem, asn1             what these formats consist of; work says how long one takes to open, and
                          trial tries where only trying does
    exporting             formats for other programs
"""
