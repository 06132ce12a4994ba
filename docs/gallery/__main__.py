"""Makes every figure of the guide, and writes their numbers into its tables.

python docs/gallery [--small]
"""

import time
from importlib import import_module

import frame
from guide import GUIDE, filled

if __name__ == "__main__":
    small, folder = frame.arguments(__doc__)
    for name in frame.NAMES:
        start = time.perf_counter()
        script = import_module(name)
        table = script.table(frame.make(script, small, folder))
        if folder == frame.FIGURES:
            GUIDE.write_text(filled(GUIDE.read_text(), name, table))
        print(f"{name}, {time.perf_counter() - start:.1f} s\n{table}\n", flush=True)
