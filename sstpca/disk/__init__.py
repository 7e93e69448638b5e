"""The disk: read with care, written whole or not at all, and locked.

reading   files of others, bounded, and text however encoded
writing   one file or some, in the place of those before or as new ones
folders   made beside their place, and swapped into it
staged    files that count together: staged, recorded, placed, recovered after a kill
sync      waiting for the disk: the names of a folder, all of a file system
locks     of files and folders; who waits says so
guard     whose folder a home is
"""
