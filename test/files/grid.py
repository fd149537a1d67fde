"""An HDF5 file with one dataset changed in place and another that grows."""
import hashlib
import time

import h5py
import numpy

f = h5py.File("result.h5", "w")
state = f.create_dataset("state", (400, 250), dtype="f8", chunks=(50, 50))
series = f.create_dataset("series", (0, 50), maxshape=(None, 50), dtype="i4", chunks=(16, 50))
now = numpy.arange(100000, dtype="f8").reshape(400, 250)
for step in range(120):
    now = numpy.roll(now, 1, axis=step % 2) * 0.999 + step
    state[step % 8 * 50:step % 8 * 50 + 50, :] = now[step % 8 * 50:step % 8 * 50 + 50, :]
    series.resize(step + 1, axis=0)
    series[step, :] = numpy.arange(50) * step
    f.attrs["step"] = step
    if step % 5 == 0:
        f.flush()
    time.sleep(0.015)
f.close()
f = h5py.File("result.h5", "r")
print(f.attrs["step"], hashlib.sha256(f["state"][...].tobytes()).hexdigest())
print(f["series"].shape, hashlib.sha256(f["series"][...].tobytes()).hexdigest())
