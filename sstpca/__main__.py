"""``python -m sstpca`` is the ``sstpca`` command."""

from sstpca.cli import main

if __name__ == "__main__":
    main()
