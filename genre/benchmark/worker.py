"""A cell's process: ``genre fit`` that ends when the process that began it is gone.

Otherwise a benchmark that was killed would leave a fit behind, which the resumed one would run into.
"""

import os
import threading

from genre.cli import main


def _end_with_parent() -> None:
    os.read(0, 1)  # the parent holds the other end of stdin, and never writes; sys.stdin would lock at the end
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()
