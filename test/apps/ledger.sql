-- sqlite3, a database in memory: inserts, an index, joins, window functions.
CREATE TABLE entry(id INTEGER PRIMARY KEY, account INT, amount INT);
WITH RECURSIVE n(i, x) AS (SELECT 1, 12345 UNION ALL
	SELECT i + 1, (x * 1103515245 + 12345) & 2147483647 FROM n WHERE i < 600000)
INSERT INTO entry SELECT i, x % 5000, (x >> 8) % 20001 - 10000 FROM n;
SELECT count(*), sum(amount) FROM entry;
CREATE INDEX by_account ON entry(account, amount);
SELECT account, total FROM (SELECT account, sum(amount) AS total FROM entry GROUP BY account)
	ORDER BY total DESC LIMIT 5;
SELECT max(running) FROM (SELECT sum(amount) OVER (PARTITION BY account ORDER BY id) AS running FROM entry);
UPDATE entry SET amount = amount + (SELECT count(*) FROM entry AS other
	WHERE other.account = entry.account) WHERE id % 3 = 0;
SELECT sum(amount) FROM entry;
DELETE FROM entry WHERE account % 7 = 3;
SELECT count(*), sum(amount) FROM entry;
SELECT sum(rank) FROM (SELECT rank() OVER (PARTITION BY account % 50 ORDER BY amount, id) AS rank FROM entry);
PRAGMA integrity_check;
