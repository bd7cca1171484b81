#include <config.h>

#include <stdio.h>

#include "bench.h"
#include "db.h"
#include "file.h"

#define VERSIONS_MAX 100

/* A database is opened by one who knows its version; nothing migrates. */
static struct db *open_as_it_is(const char *path)
{
	static const char *const none[VERSIONS_MAX];
	struct db *d = NULL;
	struct err e;

	for (size_t version = 1; !d && version < VERSIONS_MAX; version++)
		d = db_open(path, none, version, &e);
	need(d ? 0 : -1, &e, path);
	return d;
}

static void run(struct db *d, const char *sql, int64_t n)
{
	struct stmt *s = db_stmt(d, sql);
	struct err e;

	if (n)
		bind_int(s, 1, n);
	need(db_run(s, &e), &e, sql);
}

#define COUNT "WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < ?1) "
#define ID "lower(hex(randomblob(16)))"

/* Everything that is random in life is random here: each row touches pages of its own of those indexes. */
static void fill(const struct options *o, const char *name, const char *const *sql)
{
	char path[FILE_PATH], cache[60];
	struct db *d;
	struct err e;

	need(file_join(path, &e, o->ledger, name), &e, o->ledger);
	d = open_as_it_is(path);
	run(d, "PRAGMA journal_mode = OFF", 0);
	run(d, "PRAGMA synchronous = OFF", 0);
	/* all random indexes, which are some 300 bytes a row: else each row waits for pages of the disk */
	snprintf(cache, sizeof cache, "PRAGMA cache_size = -%zu", 200000 + (size_t)o->count * 4 / 10);
	run(d, cache, 0);
	need(db_begin(d, &e), &e, path);
	for (; *sql; sql++)
		run(d, *sql, (int64_t)o->count);
	need(db_commit(d, &e), &e, path);
	db_close(d);
}

int bench_rows(const struct options *o)
{
	static const char *const ledger[] = {
		COUNT "INSERT INTO device(manufacturer, model, serial, generation, superseded, order_id, passed)"
		      " SELECT 'Acme Devices', 'gateway-b', printf('OLD-%08d', n), 1, 0, '', 0 FROM k",
		COUNT "INSERT INTO request(unit, id, id_number, id_twin, generation, device, state, spki, order_id, took_unit, slot, certificate,"
		      " certificate_sha256, certificate_serial, created, changed, ca, issuer, key, expires)"
		      " SELECT 'node:bench', " ID ", random(), 0, 1, n, 'active', randomblob(91), '', 0, '', randomblob(640), randomblob(32), " ID
		      ", 1700000000 + n, 1700000000 + n, 'customer', randomblob(32), random(), 253402300799 FROM k",
		NULL,
	};
	static const char *const signer[] = {
		COUNT "INSERT INTO signed(changed, order_id, manufacturer, model, serial, unit, id, generation, renews, made, spki, certificate,"
		      " sha256, active, ended) SELECT 0, '', 'Acme Devices', 'gateway-b', printf('OLD-%08d', n), 'node:bench', " ID
		      ", 1, '', 0, randomblob(91), randomblob(640), randomblob(32), 1, 0 FROM k",
		NULL,
	};

	if (!o->ledger)
		die("rows: --ledger");
	fill(o, "ca.db", ledger);
	fill(o, "signer.db", signer);
	return 0;
}
