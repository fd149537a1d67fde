"""numpy arrays and plain lists that grow: no MemoryError."""
import time

try:
    import numpy
except ImportError:
    numpy = None

keep = []
try:
    for i in range(40):
        if numpy is not None:
            keep.append(numpy.full(1 << 19, i * 0.5))
        else:
            keep.append([float(i)] * (1 << 19))
        keep.append(bytearray(b"x" * 500000))
        keep.append({k: str(k * i) for k in range(2000)})
        time.sleep(0.01)
    print("%.1f" % sum(float(a[i]) for i, a in enumerate(keep[::3])))
except MemoryError:
    print("MemoryError seen")
    raise SystemExit(1)
