/* audit.c - usage: audit DATABASE... : the chain of each one's audit, row by row; 0 if all hold. */
#include <config.h>

#include <stdio.h>

#include "audit.h"

#define VERSIONS_MAX 100

/* A database is opened only by one who knows its version: this one knows none and tries them upward, so that nothing migrates. */
static struct db *open_as_it_is(const char *path, struct err *e)
{
	static const char *const none[VERSIONS_MAX];
	struct db *d = NULL;

	for (size_t version = 1; !d && version < VERSIONS_MAX; version++)
		d = db_open(path, none, version, e);
	return d;
}

int main(int argc, char **argv)
{
	int bad = argc < 2;

	for (int i = 1; i < argc; i++) {
		struct err e = {0};
		struct db *d = open_as_it_is(argv[i], &e);
		int64_t rows = 0;

		if (!d || audit_verify(d, &rows, &e) < 0 || rows == 0) {
			printf("%s: %s\n", argv[i], e.text[0] ? e.text : "no row");
			bad = 1;
		}
		db_close(d);
	}
	return bad;
}
