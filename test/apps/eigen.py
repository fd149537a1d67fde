# numpy: BLAS and LAPACK with their threads and vector registers.
import numpy as np

rng = np.random.default_rng(7)
n = 300
a = rng.standard_normal((n, n))
a = a + a.T
total = 0.0
for k in range(60):
    w = np.linalg.eigvalsh(a + k * np.eye(n))
    q, r = np.linalg.qr(rng.standard_normal((n, n)))
    spectrum = np.fft.rfft(w @ q)
    total += float(np.abs(w).sum()) + float(np.abs(spectrum).max())
    print(k, "%.5f" % total, flush=True)
np.save("result.npy", np.round(np.sort(w), 5))
