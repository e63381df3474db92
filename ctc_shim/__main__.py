"""python -m ctc_shim"""

import sys

from ctc_shim.commands.parser import main

if __name__ == "__main__":
    sys.exit(main())
