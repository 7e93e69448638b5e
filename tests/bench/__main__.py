"""Everything that is said of speed, measured in one run: ``python -m tests.bench``, as root.

Runs the real server in network namespaces of its own, with the in-tree client and iperf3; a plain
TLS transfer and a one-packet pump are the yardsticks of the same run. Nothing is asserted.
"""

import argparse

from tests.bench import throughput
from tests.bench.stage import stage


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="in less than 2 minutes: one round")
    quick = parser.parse_args().quick
    with stage() as made:
        print(
            throughput.measure(made, rounds=1 if quick else 4, seconds=2.0 if quick else 3.0).text()
        )


if __name__ == "__main__":
    main()
