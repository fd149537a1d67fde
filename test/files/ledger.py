"""Several transactions per second in a database file, in the journal mode given;
some large enough to spill before they are committed, some rolled back."""
import hashlib
import sqlite3
import sys
import time

db = sqlite3.connect("result.db", isolation_level=None)
db.execute("pragma journal_mode = " + sys.argv[1])
db.execute("pragma cache_size = 50")
db.execute("create table account (id integer primary key, balance integer)")
db.execute("create table entry (round integer, id integer, amount integer, note text)")
db.executemany("insert into account values (?, 1000)", ((i,) for i in range(300)))
for r in range(70):
    db.execute("begin immediate")
    for k in range(200 if r % 7 == 0 else 20):
        a, b = (r * 31 + k * 17) % 300, (r * 13 + k * 29) % 300
        db.execute("update account set balance = balance - 1 where id = ?", (a,))
        db.execute("update account set balance = balance + 1 where id = ?", (b,))
        db.execute("insert into entry values (?, ?, 1, ?)", (r, a, "%d" % r * 60))
        if k % 50 == 9:
            time.sleep(0.02)  # in the middle of a transaction
    db.execute("rollback" if r % 11 == 5 else "commit")
    time.sleep(0.01)
print(db.execute("pragma integrity_check").fetchone()[0])
rows = db.execute("select * from account order by id").fetchall()
rows += db.execute("select * from entry order by rowid").fetchall()
print(len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())
db.close()
