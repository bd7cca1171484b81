/* audit_file.h - an audit outside of its database: lines of JSON (doc/protocol-audit.md 3), heads wherever they were kept, and the
 * judgement of rows by heads, which needs nothing else. */
#ifndef HANDSEL_AUDIT_FILE_H
#define HANDSEL_AUDIT_FILE_H

#include <jansson.h>
#include <stdio.h>

#include "audit_head.h"

/* One line each, with its LF. -1: it cannot be written. */
int audit_row_print(FILE *out, const struct audit_row *row, struct err *e);
int audit_head_print(FILE *out, const struct audit_head *h, struct err *e);
int audit_signer_print(FILE *out, const struct chain *ch, struct err *e);	/* whose heads follow: certificate, issuers */

/* The lines of a file in order; a callback that is NULL skips its lines. Code REQUEST with file and line; what a callback gives that
 * is not 0 ends it. */
struct audit_reader {
	int (*row)(void *arg, const struct audit_row *row, struct err *e);
	int (*head)(void *arg, const struct audit_head *h, struct err *e);
	int (*signer)(void *arg, const struct chain *ch, struct err *e);
	void *arg;
};
int audit_lines_read(FILE *f, const char *name, const struct audit_reader *r, struct err *e);	/* name: for messages */
int audit_file_read(const char *path, const struct audit_reader *r, struct err *e);
int audit_file_begins(const char *path, struct buf *start, struct err *e);	/* appends some bytes of its start */

/* The members of a head in an object of JSON, as a station's record has them; NULL has none. */
bool audit_head_of_json(const json_t *o, struct audit_head *h);

/* ---- judging ---- */
struct audit_witness;
struct audit_judge {		/* zero it */
	const struct cert *cas;	/* whose heads count; not owned */
	size_t n_cas;
	struct trust *trust;	/* and those of units under it, of which a certificate came; NULL: of nobody else. Not owned */
	const char *role;	/* of these units, all of them of one name: */
	char name[LIMIT_NAME + 1];	/* "": that of the first one */
	struct cert *unit;
	size_t n_units;
	struct audit_witness *witness;
	size_t n, room, next;	/* next: that has not met its row */
	struct audit_state at;	/* the last good row */
	uint64_t history;	/* the highest of all heads */
	size_t heads;		/* that were met */
	int64_t last, last_time;	/* row and time of the last one */
};

/* A certificate that came with heads: theirs count from now on, if it is of such a unit. Code AUDIT. */
int audit_judge_signer(struct audit_judge *j, const struct chain *ch, const char *where, struct err *e);
/* The head must be this CA's or unit's, and the audit must fit it. where: for messages, copied. */
int audit_judge_head(struct audit_judge *j, const struct audit_head *h, const char *where, struct err *e);
/* Of a file: an export (its heads and its last row), a head, a station's record, a manifest, a reply of the CA protocol. trust: of the
 * manifest's operator, NULL: none is taken. 0 with nothing added if the file has no head: code REQUEST. */
int audit_judge_file(struct audit_judge *j, const char *path, struct trust *trust, struct err *e);
int audit_judge_row(void *judge, const struct audit_row *row, struct err *e);	/* row by row, after all heads */
int audit_judge_end(struct audit_judge *j, struct err *e);			/* after the last row */
void audit_judge_free(struct audit_judge *j);

#endif
