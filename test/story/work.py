"""Hours of work in a few seconds: memory grows, a file grows, every line follows
from all before it."""
import hashlib
import time

digest = hashlib.sha256()
keep = []
with open("small/data", "w+b", buffering=0) as data:
    for i in range(220):
        block = hashlib.sha256(b"%d" % i).digest() * 32768
        keep.append(block)
        digest.update(block)
        if i % 2:
            data.write(keep[i // 2][:262144])
        print(i, digest.hexdigest()[:24], flush=True)
        time.sleep(0.05)
    data.seek(0)
    written = data.read()
print(len(keep), sum(b[7] for b in keep), len(written), hashlib.sha256(written).hexdigest())
