"""What users receive: templates filled with one user's values, as a folder and a zip.

    content         what a bundle says, and how templates are filled with it
    platforms       the systems, and the files of each
    administrators  the same for those who set up many PCs, or a router
    ledger          which bundles were made, and whether they still fit

From a user to a zip::

    workshop        what all bundles of a run have in common; makes them
    pool            shares them among processes
    authenticode    signatures of scripts
    archive         the folder and the zip on disk
    sheet           the secrets on paper
"""
