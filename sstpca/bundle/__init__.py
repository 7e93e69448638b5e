"""What a user receives: templates filled with one user's values, as a folder and a zip.

Of one bundle, :mod:`.context` gathers the values, :mod:`.texts` has what users read,
:mod:`.platforms` knows the files for each system, :mod:`.render` fills the templates,
:mod:`.quoting` is the only way for a value into a script, and :mod:`.archive` writes it all.

Of many, :mod:`.making` knows what they have in common, :mod:`.crew` shares them among processes,
:mod:`.sheet` has the passwords on paper, :mod:`.record` remembers what was made, :mod:`.fitting`
tells whether that still fits, :mod:`.listing` says it of all users, and :mod:`.verify` proves it of
a file, which :mod:`.reading` has read with care.

For administrators, :mod:`.deploy` and :mod:`.router` make what sets up many PCs, or a router.
"""
