"""The authority: what certificates contain, keys, and the files they live in.

Each name is a module. What certificates and keys are::

    profiles          what each kind of certificate contains
    subjects          the names that it is for, checked
    keys              private keys; stretching makes their passphrases work
    certificates      PEM and fingerprints
    loading           a certificate read to its last field; extensions has those of others
    describe          a certificate in people's words

What a home has::

    authority         signs, and is trusted
    identity          the server's key, certificate and chain
    pairs             a key with its certificate, one file each
    inventory         every certificate, and what became of it
    adoption          takes into it what is in place already

What is done with them::

    issuing           issues, renews, rekeys; holders says for whom
    requests          asks another authority
    revocation        revokes; lists of what is revoked
    rollover          from one authority to the next; succession puts its files in place
    pending           files that wait until the inventory knows of them
    due, calendar     what expires when

To and from elsewhere::

    parsing           files of any format; importing makes the server's identity of them
    pem, asn1         what these formats consist of; work says how long one takes to open, and
                      trial tries where only trying does
    exporting, files  formats for other programs; files that replace nothing
    backup, sealed    the whole home in one file, encrypted
    chains, roots     certificates in order; the roots that this machine trusts

What Windows would object to::

    probe             what a running server shows
    lint              looks at it: lint_read reads, then lint_leaf, lint_eap, lint_names,
                      lint_chain and lint_constraints say lint_findings
"""
