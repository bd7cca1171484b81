/* forger.c - usage: forger DATABASE ROW DETAIL : writes that detail into a row of the audit and makes all hashes anew from there on, as
 * one who owns the machine can: each row follows from the one before again. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "mem.h"

#define VERSIONS_MAX 100
#define ROWS_MAX 1000

struct forgery {
	int64_t row;
	const char *detail;
	struct audit_state at;
	uint8_t hash[ROWS_MAX][SHA256_LEN];	/* of the rows from the first on */
};

static struct db *open_as_it_is(const char *path, struct err *e)
{
	static const char *const none[VERSIONS_MAX];
	struct db *d = NULL;

	for (size_t version = 1; !d && version < VERSIONS_MAX; version++)
		d = db_open(path, none, version, e);
	return d;
}

static int again(void *arg, const struct audit_row *row, struct err *e)
{
	struct forgery *f = arg;
	struct audit_row mine = *row;

	if (row->n > ROWS_MAX)
		return err_set(e, REASON_REQUEST, "too many rows");
	if (row->n == f->row)
		mine.detail = f->detail;
	audit_go_on(&f->at, &mine);
	memcpy(f->hash[row->n - 1], mine.hash, SHA256_LEN);
	return 0;
}

static int write_all(struct db *d, const struct forgery *f, struct err *e)
{
	struct stmt *s;

	if (db_begin(d, e) < 0)
		return -1;
	for (int64_t n = 1; n <= f->at.n; n++) {
		s = db_stmt(d, "UPDATE audit SET hash = ?2, detail = CASE n WHEN ?3 THEN ?4 ELSE detail END WHERE n = ?1");
		bind_int(s, 1, n);
		bind_blob(s, 2, f->hash[n - 1], SHA256_LEN);
		bind_int(s, 3, f->row);
		bind_text(s, 4, f->detail);
		if (db_run(s, e) < 0)
			return -1;
	}
	return db_commit(d, e);
}

int main(int argc, char **argv)
{
	struct forgery *f = mem_new(1, sizeof *f);
	struct err e = {0};
	struct db *d;
	int rc = 1;

	if (argc != 4) {
		fprintf(stderr, "usage: forger DATABASE ROW DETAIL\n");
		return 2;
	}
	f->row = strtoll(argv[2], NULL, 10);
	f->detail = argv[3];
	d = open_as_it_is(argv[1], &e);
	if (d && audit_each(d, INT64_MIN, INT64_MAX, again, f, &e) == 0 && write_all(d, f, &e) == 0)
		rc = 0;
	else
		fprintf(stderr, "forger: %s\n", e.text);
	db_close(d);
	free(f);
	return rc;
}
