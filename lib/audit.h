/* audit.h - the audit table of a database: each row's hash covers the one before. */
#ifndef HANDSEL_AUDIT_H
#define HANDSEL_AUDIT_H

#include "db.h"

/* The table, for the first migration of every database that is audited. */
#define AUDIT_SQL \
	"CREATE TABLE audit(n INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL," \
	" subject TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL);"

/* Appends inside the caller's transaction. actor: who ("station:line-2", "operator:maria", "node"), action: "issue", "refuse", ... */
int audit_add(struct db *d, int64_t now, const char *actor, const char *action, const char *subject, const char *detail,
	      struct err *e);

/* 0 if all rows follow from each other; else -1 and the first bad row is named. *rows counts them. */
int audit_verify(struct db *d, int64_t *rows, struct err *e);

#endif
