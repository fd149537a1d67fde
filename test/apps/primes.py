# Pure Python: big integers, dicts, generators, a hash over all of it.
import hashlib
import random
import sys

random.seed(5)
digest = hashlib.sha256()
seen = {}


def is_prime(n):
    if n % 2 == 0 or n % 3 == 0:
        return n in (2, 3)
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for a in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        x = pow(a, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def candidates():
    while True:
        yield random.getrandbits(1024) | 1


source = candidates()
for count in range(7):
    tried = 0
    while True:
        tried += 1
        n = next(source)
        if is_prime(n):
            break
    seen[n] = tried
    digest.update(b"%d %d" % (n, tried))
    print(count, tried, digest.hexdigest(), flush=True)
with open("result.txt", "w") as out:
    for n, tried in sorted(seen.items()):
        print(n, tried, file=out)
sys.exit(3 if len(seen) != 7 else 0)
