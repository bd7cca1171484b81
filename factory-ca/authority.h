/* authority.h - what a CA is: its folder, its ca.yaml, its profiles, the public side of its keys. Used by handsel-ca and
 * handsel-signer. A CA system has one or several of them (system.h). */
#ifndef HANDSEL_AUTHORITY_H
#define HANDSEL_AUTHORITY_H

#include "camsg.h"
#include "err.h"
#include "file.h"
#include "profile.h"
#include "unit_key.h"
#include "x509.h"

enum site {
	SITE_FACTORY,
	SITE_CUSTOMER,	/* the same program serves both (H4) */
	SITE_UPPER	/* a root that certifies other roots and nothing else (H14) */
};
const char *site_name(enum site s);
int site_parse(enum site *s, const char *name);	/* -1 if it is none */
const char *site_profile(enum site s);		/* the profile of its devices; of an upper CA "" */

/* "ADDRESS:PORT", an IPv6 address in brackets, port 0: any free one. */
struct endpoint {
	char address[256];
	uint16_t port;
	int socket;			/* above 0: it listens already (lib/service.h), and address and port are not used */
};
int endpoint_parse(struct endpoint *p, const char *text, struct err *e);

/* ca.yaml, explained in handsel-ca(1) */
struct settings {
	enum site site;
	char id[CA_ID_MAX + 1];		/* of the CA in the protocol (H4) */
	char name[LIMIT_NAME + 1];	/* of the company: in the factory the manufacturer, as in the model files */
	char listen[272];		/* ADDR:PORT; "" in a further CA of a system, which serves at one address */
	char metrics[272];		/* ADDR:PORT for monitoring (lib/monitor.h); "": none. Of the first CA of a system */
	uint64_t crl_valid_s;		/* how long a revocation list is good for; it is made anew at half of that */
	char listen_http[272];		/* ADDR:PORT without TLS, for revocation lists and OCSP alone; "": none */
	uint64_t ocsp_valid_s;		/* how long an answer about one certificate is good for; made anew at half of that */
	uint64_t head_s, head_rows;	/* a head of the audit after so long, or so many rows */
	uint64_t pending_s; /* how long a device may stay unconfirmed; the factory's alone, a node owns its time */
	char profile[LIMIT_PROFILES][CA_ID_MAX + 1];	/* that it issues to devices by, the default first */
	size_t n_profiles;
	struct unit_place place;	/* of the keys of the CA's own units: server, operator */
};
int settings_load(struct settings *s, const char *dir, struct err *e);
int settings_serves(const struct settings *s, const char *dir, struct err *e);	/* -1: it is an upper CA, which answers nobody */
int settings_save(const struct settings *s, const char *dir, struct err *e);

#define UPPER_FILE "upper.pem"

/* A rollover makes a new root, issuing and unit CA in gen-N below the CA's folder; N 1 is that folder itself. The highest N that is
 * there is in force. gen-N/cross.pem: the new root by the old one's key, and the old by the new one's (RFC 4210 4.4).
 * gen-N/alone: the overlap is over. */
#define CROSS_FILE "cross.pem"
#define ALONE_FILE "alone"
int generation_path(char path[FILE_PATH], const char *dir, unsigned n, struct err *e);
int generation_of(const char *dir, unsigned *n, struct err *e);		/* in force */

/* Root, issuing and unit CA: one certificate each. */
struct authority {
	struct chain root, issuing, unit;
	struct chain cross;		/* certificates of a root of ours by other roots, for those who hold one of these; that of
					 * the root in force by the one before is the first */
	struct chain links;		/* each older root's certificate by the one before it, the newest first: with the first of cross
					 * the way of those who slept through several rollovers, of LIMIT_ROOT_LINKS at most */
	unsigned generation;		/* 1, and one more with each rollover */
	bool overlap;			/* what is older is still good, too: */
	struct chain older_root, older_issuing, older_unit;	/* of the generation before, n 0 if there is none */
	bool older_issuing_lists, older_unit_lists;	/* revocation lists of these are still made */
	struct trust *trust;		/* the root; the unit CA pinned: whom we believe a role; in an overlap the older ones, too */
};
int authority_load(struct authority *a, const char *dir, struct err *e);
void authority_free(struct authority *a);
int authority_way(const struct authority *a, struct chain *ch, struct err *e);	/* appends that way to a chain of the generation in force */
bool authority_same(const struct authority *a, const struct authority *b);	/* the same certificates, in the same part */

/* A root's list, of CAs and other roots that it has certified, is made when the root is open: it lies in the folder of its generation. */
#define ROOT_LIST_FILE "root.crl"
#define ROOT_LIST_DAYS 365		/* roots are looked after once a year */
#define ROOT_LIST_WARN_S (30 * 86400)	/* people of a ceremony need weeks to meet */

/* Revocation lists: each CA key has its own. Those of the generation before are made as long as its key is there and anybody takes
 * what it has issued: in the overlap, and those of a factory's devices, which keep their factory place for ever, after it, too. */
enum crl_of { CRL_ISSUING, CRL_UNIT, CRL_OLDER_ISSUING, CRL_OLDER_UNIT, CRL_KINDS };	/* whose certificates */
const struct cert *crl_ca(const struct authority *a, enum crl_of of);	/* NULL: there is no such list */

/* A list keeps its name for ever, whatever is in force: "issuing" and "unit" of generation 1, "issuing-N" and "unit-N" of the others. */
#define CRL_NAME 24
void crl_name(char name[CRL_NAME], const struct authority *a, enum crl_of of);
int crl_of_parse(enum crl_of *of, const struct authority *a, const char *name);	/* -1: there is no such list */
/* Of a root likewise: "root", "root-N". */
void root_list_name(char name[CRL_NAME], unsigned generation);
unsigned root_list_parse(const struct authority *a, const char *name);	/* the generation; 0: there is no such root */

/* A profile is profiles/NAME.yaml of the CA's own folder or, if that is not there, of the data folder. */
int profile_path(char path[FILE_PATH], const char *dir, const char *name, struct err *e);
/* Those of its CAs and units are called like their kind. */
int profile_of_kind(struct profile *p, const char *dir, enum profile_kind kind, struct err *e);

/* The profiles of a CA's devices, the default first (protocol-ca 4.2). */
struct profiles {
	struct profile of[LIMIT_PROFILES];
	size_t n;
};
int profiles_load(struct profiles *ps, const char *dir, const struct settings *s, struct err *e);
/* The one that a request asks for, "" = the default; NULL with code PROFILE if this CA does not issue by it. */
const struct profile *profiles_choose(const struct profiles *ps, const char *wanted, struct err *e);

/* The data folder, see HANDSEL_DATADIR in handsel-ca(1): a folder of it, "name.yaml" in that. */
int datadir_folder(char path[FILE_PATH], const char *folder, struct err *e);
int datadir_path(char path[FILE_PATH], const char *folder, const char *name, struct err *e);

#endif
