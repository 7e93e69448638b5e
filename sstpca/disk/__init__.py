"""The disk: read with care, written whole or not at all, and locked.

reading    files of others, bounded, and text however encoded
new_files  files and folders for others, that replace nothing unless told
pending    files that wait beside their place until they are recorded
locks      of files and folders; who waits says so
guard      whose folder a home is
"""
