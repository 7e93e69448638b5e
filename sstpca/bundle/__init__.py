"""What a user receives: templates filled with one user's values, as a folder and a zip.

:mod:`.context` gathers the values, :mod:`.texts` has what users read, :mod:`.platforms` knows the
files for each system, :mod:`.render` fills the templates, :mod:`.quoting` is the only way for a
value into a script, :mod:`.archive` writes it all, and :mod:`.record` remembers it.
"""
