/* ceremony.h - `handsel-ca ceremony`: one reviewed file says what happens with roots in a session; it is looked at, rehearsed with keys
 * that are thrown away, and held, always from the very same bytes. handsel-ca(1) explains the file.
 *
 * Nothing here makes a key or a certificate: the steps are those of init, "ca add", "ca rollover", "root sign" and "root install", and call
 * what these call. */
#ifndef HANDSEL_CA_CEREMONY_H
#define HANDSEL_CA_CEREMONY_H

#include "authority.h"
#include "keys.h"
#include "limits.h"
#include "signer.h"

enum ceremony_verb { VERB_MAKE, VERB_ADD, VERB_ROLLOVER, VERB_CERTIFY, VERB_LIST };

struct ceremony_step {
	enum ceremony_verb verb;
	int line, column;		/* in the file */
	char dir[FILE_PATH];		/* of the CA system; certify: of the upper CA */
	char ca[CA_ID_MAX + 1];		/* rollover: which CA of the system; "": its first */
	struct settings settings;	/* kind and name; make and add: what goes into ca.yaml */
	char host[SIGNER_HOSTS][128];
	struct key_homes homes;
	char profiles_sha256[SHA256_HEX];	/* of all profiles that the step uses, as "ceremony check" shows it; "": not pinned */
	uint32_t root_days, issuing_days, unit_days;	/* 0: as the profiles say */
	uint32_t generation;		/* that it makes: 1, of a rollover more; list: whose root */
	char root[FILE_PATH], out[FILE_PATH];	/* certify: whose certificate, and where it goes */
	char root_sha256[SHA256_HEX];	/* of a root that is there already; "": an earlier step makes it */
	int made_by;			/* certify: index of that step; -1: it is there already */
	bool install;			/* certify: that step's CA passes it on */
	uint32_t list_days;		/* list: how long it is good */
	const char *revoke, *reason;	/* list: "issuing" or "unit", the CA of that generation that goes on it, and why; NULL: none */
};

struct ceremony_plan {
	char file[FILE_PATH], sha256[SHA256_HEX];	/* sha256: of text */
	struct buf text;
	char title[2 * LIMIT_NAME + 1], output[FILE_PATH];	/* output: the folder of journal and transcript */
	char witness[LIMIT_CEREMONY_PEOPLE][2 * LIMIT_NAME + 1];
	size_t n_witnesses;
	struct ceremony_step step[LIMIT_CEREMONY_STEPS];
	size_t n_steps;
};

/* Whole, and valid by itself: nothing outside the file is looked at. Errors name the place in it, code CONFIG. */
int ceremony_load(struct ceremony_plan *p, const char *path, struct err *e);
int ceremony_parse(struct ceremony_plan *p, const char *name, const struct buf *text, struct err *e);
void ceremony_free(struct ceremony_plan *p);

/* The folder of the CA that a step is about, and that of the generation that it makes. */
int ceremony_home(char path[FILE_PATH], const struct ceremony_step *s, struct err *e);
int ceremony_made(char path[FILE_PATH], const struct ceremony_step *s, struct err *e);
bool ceremony_makes(const struct ceremony_step *s);	/* a CA or a generation of one */
/* "make the factory CA "Acme Devices" in /srv/ca" */
void ceremony_title(struct buf *out, const struct ceremony_step *s);
/* Where a key lives, for people: "file, encrypted", "token pkcs11:token=acme-root" */
void ceremony_place(struct buf *out, const struct key_home *h, bool plain);

#endif
