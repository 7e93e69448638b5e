"""The VPN of a home as a service of its machine: started with it, watched, renewed and backed up by timers.

    program     what is to be run: this program, for which home, with what within reach
    systemd     as units; unit_text has what is in them, escaping how it is spelled
    sysvinit    as an init script and a file for cron, where there is no systemd; init_script is its text
    connection  a connection of this machine to some server, by either
    files       puts the files of either in place, and takes them away

``systemd`` and ``sysvinit`` do the same: :class:`.files.Manager`.
"""
