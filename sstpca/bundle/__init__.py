"""What users receive: templates filled with one user's values, as a folder and a zip.

Each name is a module. What a bundle says::

    context           the values that templates see, complete before anything is written
    trust             whom the clients of a home have to trust
    user_certificate  a user's .p12 file
    logo              the organisation's picture
    texts, markup     what users read, in their language; the values and marks in it
    codes             Windows' error numbers, by what helps

From there to files::

    platforms         the systems: windows (with eap), linux, android, apple, routeros
    render            fills the templates, with
    quoting           the only way for a value into a script, and
    plain_name, qr    names for choosy systems, and pictures of text
    sums, signing     SHA256SUMS, and signatures of scripts
    archive           the folder and the zip on disk

Of many users::

    making            what their bundles have in common; from a user to a zip
    crew              shares them among processes
    sheet             the secrets on paper
    record            remembers what was made
    fitting, listing  whether that still fits; the same of all users
    verify, reading   proves it of a file; reads one from anywhere, with care
    comparing         finds the password in it, and each byte that would be another now

For administrators::

    deploy            what sets up many PCs: profilexml, intune, and pbk
    router            what makes a RouterOS router the server
"""
