/* secret.h - a passphrase or PIN: where it comes from, and memory that is neither swapped nor dumped nor left behind. */
#ifndef HANDSEL_SECRET_H
#define HANDSEL_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct secret;

/* Copies; at most LIMIT_SECRET bytes, none of them NUL. NULL with code SECRET if it is empty or longer. */
struct secret *secret_new(const void *text, size_t len, struct err *e);
void secret_free(struct secret *s);			/* wipes; NULL is fine */
const char *secret_text(const struct secret *s);

/* Where to look, in this order. Never the command line nor the environment: both are there for others to read. */
struct secret_source {
	const char *credential;		/* of systemd: a file of this name in the folder that it gives us; NULL: none */
	const char *file;		/* NULL or ""; refused if group or others can read it. One line end at its end does not count */
	const char *ask;		/* on the terminal, if we are in its foreground: "PIN of the token acme"; NULL: nobody is asked */
	bool twice;			/* a new one: typed again */
};
/* 1 found, 0: it is nowhere, and nobody to ask; -1. */
int secret_get(struct secret **out, const struct secret_source *from, struct err *e);

#endif
