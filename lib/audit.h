/* audit.h - the audit table of a database: each row's hash covers the one before. */
#ifndef HANDSEL_AUDIT_H
#define HANDSEL_AUDIT_H

#include "db.h"
#include "pack.h"
#include "text.h"

/* The table, for the first migration of every database that is audited. */
#define AUDIT_SQL \
	"CREATE TABLE audit(n INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL," \
	" subject TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL);"

/* Appends inside the caller's transaction. actor: who ("station:line-2", "operator:maria", "node"), action: "issue", "refuse", ... */
int audit_add(struct db *d, int64_t now, const char *actor, const char *action, const char *subject, const char *detail,
	      struct err *e);

struct audit_row {
	int64_t n, time;
	const char *actor, *action, *subject, *detail;
	uint8_t hash[SHA256_LEN];
};

/* The last row of a chain; {0} before the first. */
struct audit_state {
	int64_t n;
	uint8_t hash[SHA256_LEN];
};

/* The row must be the next one: *at becomes it. Code AUDIT, the row is named. */
int audit_follow(struct audit_state *at, const struct audit_row *row, struct err *e);
/* What the row's hash is there, whatever stands in it; *at becomes it. */
void audit_go_on(struct audit_state *at, struct audit_row *row);

/* Up to max rows behind `after`, in order, until each() returns not 0, which is the result. The texts of a row are each()'s alone. */
int audit_each(struct db *d, int64_t after, int64_t max, int (*each)(void *arg, const struct audit_row *row, struct err *e), void *arg,
	       struct err *e);
/* The last row, {0} if there is none; and row n (0: {0}), 1 there, 0 not. */
int audit_last(struct db *d, struct audit_state *at, struct err *e);
int audit_at(struct db *d, int64_t n, struct audit_state *at, struct err *e);

/* How many rows say that this was done to that. */
int audit_count(struct db *d, const char *action, const char *subject, int64_t *n, struct err *e);

/* 0 if all rows follow from each other; else -1 and the first bad row is named. *rows counts them. */
int audit_verify(struct db *d, int64_t *rows, struct err *e);

#endif
