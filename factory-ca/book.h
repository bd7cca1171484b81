/* book.h - the profiles that a CA can issue by: those of its own folder, then those of the data folder. */
#ifndef HANDSEL_BOOK_H
#define HANDSEL_BOOK_H

#include "authority.h"
#include "cli.h"

struct book {
	char dir[FILE_PATH];		/* of the CA */
	bool has_ca;			/* there is one; if not, the two below are empty */
	struct settings settings;
	struct authority ca;
	struct book_page {
		char name[CA_ID_MAX + 1], path[FILE_PATH];
		struct profile profile;
		bool good;		/* it can be read; else profile holds what could */
	} *page;
	size_t n;
};

/* By --dir and --ca of the command line; no CA needs to be there. Code CONFIG. */
int book_open(struct book *b, const struct cli *c, struct err *e);
void book_close(struct book *b);

/* NAME, or the path of a file (with a slash, or ending in .yaml), which gets a page of its own. Code CONFIG. */
struct book_page *book_find(struct book *b, const char *name, struct err *e);

/* The CA that signs by it: its certificate in force, NULL if there is none; its profile, NULL if it cannot be read. */
const struct cert *book_issuer(const struct book *b, const struct profile *p);
const struct profile *book_above(const struct book *b, const struct profile *p);

/* All that is wrong or doubtful with that page, beside the others. */
void book_lint(struct book *b, struct book_page *page, int64_t now, struct problems *all);

#endif
