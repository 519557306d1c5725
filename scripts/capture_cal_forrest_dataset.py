"""`rps capture` for the pair that quality control looks at: cal against forrest.

    python -m scripts.capture_cal_forrest_dataset --strict-parity --sleep 0.1

Every option of `rps capture` may be given.
"""

import sys

from gameplay.cli import main

if __name__ == "__main__":
    sys.argv[1:] = ["capture", "--user", "cal", "--policy", "forrest", *sys.argv[1:]]
    main()
