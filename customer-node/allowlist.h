/* allowlist.h - the allowlist in YAML (handsel-node(1)): read with every fault named, compared, applied, appended to. */
#ifndef HANDSEL_NODE_ALLOWLIST_H
#define HANDSEL_NODE_ALLOWLIST_H

#include "makers.h"
#include "problem.h"
#include "store.h"

struct allowlist {		/* zero it; free with allowlist_free() */
	char *file;
	char sha256[SHA256_HEX];	/* of the file */
	struct allow_entry *entry;
	size_t n;
	struct problems problems;	/* by line; keys: "Y-UNQUOTED", ... */
};

/* 0 also if there are problems: look at their errors. Expired entries are warned of. makers: whose devices the node accepts; an entry
 * may leave its manufacturer out only while that is one, and is then that one's. */
void allowlist_parse(struct allowlist *al, const char *file, const struct buf *text, const struct makers *makers, int64_t now);
/* -1: the file cannot be read. */
int allowlist_load(struct allowlist *al, const char *path, const struct makers *makers, int64_t now, struct err *e);
void allowlist_free(struct allowlist *al);

/* Code CONFIG with the first error and how many there are; -1. */
int allowlist_refuse(const struct allowlist *al, struct err *e);

/* Appends entries of these devices to the text, comments and all the rest kept byte for byte. */
int allowlist_append(struct buf *text, const char *file, const struct makers *makers, const struct device_id *devices, size_t n,
		     const char *comment, struct err *e);

/* ---- against what is in force ---- */
enum change_kind { CHANGE_NEW, CHANGE_GONE, CHANGE_OTHER };
struct change {
	enum change_kind kind;
	const struct allow_entry *before, *after;
};
/* Calls each for every difference; 1 there are some, 0 none, -1 the database failed. each may be NULL. */
int allowlist_compare(struct db *db, const struct allowlist *al, void (*each)(void *arg, const struct change *c), void *arg,
		      struct err *e);

/* Puts a list without errors in force, inside the caller's transaction; *ended: devices that lost a credential by a block. */
int allowlist_apply(struct db *db, const struct allowlist *al, const char *actor, int64_t now, int *ended, struct err *e);

#endif
