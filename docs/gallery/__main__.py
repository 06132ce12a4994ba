"""Makes every figure of the guide, and writes their numbers into its tables. Says first how long it took the last time.

python docs/gallery [--small]
"""

from importlib import import_module

import frame

if __name__ == "__main__":
    small, folder = frame.arguments(__doc__)
    names = (*frame.NAMES, *frame.PAPER)
    print(f"{len(names)} scripts at small sizes, seconds each" if small else frame.expected(names), flush=True)
    for name in names:
        frame.run(import_module(name), small, folder)
