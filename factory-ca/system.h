/* system.h - a CA system holds one CA or several (H4). The first lives in the system's folder itself, each further one in
 * cas/ID below it, laid out alike: certificates, keys, ledger, the signer's counts, units. So no row, order, count or key of
 * one can be taken for another's; they share processes and an address, and nothing else. */
#ifndef HANDSEL_SYSTEM_H
#define HANDSEL_SYSTEM_H

#include "authority.h"
#include "file.h"

struct ca_folder {
	char name[CA_ID_MAX + 1];	/* below cas/; "": the first, the system's folder itself */
	char path[FILE_PATH];
};
struct ca_folders {
	struct ca_folder of[LIMIT_CAS];
	size_t n;
};

/* All that are complete (init writes ca.yaml last), the first first, the others by name. The first is not looked into. */
int system_list(struct ca_folders *f, const char *dir, struct err *e);

/* The folder of the CA with this id; NULL or "": of the first. Code CONFIG. */
int system_find(char path[FILE_PATH], const char *dir, const char *id, struct err *e);

/* Where a further CA goes; its id becomes part of a host name: lower-case letters, digits, inner hyphens. Code CONFIG, also
 * if the id or the place is taken. */
int system_place(char path[FILE_PATH], const char *dir, const char *id, struct err *e);

#endif
