/* cmd_audit.h - what the commands "audit verify", "export" and "tail" of handsel-ca and handsel-node share: audit_file.h on a command
 * line. Errors go to the caller. */
#ifndef HANDSEL_CMD_AUDIT_H
#define HANDSEL_CMD_AUDIT_H

#include "audit_file.h"
#include "cli.h"

#define AUDIT_VERIFY_OPTIONS(certificates) \
	{ "against", "FILE", "a head that was kept elsewhere: an export, a head, a record, a manifest, a reply; may be repeated", true }, \
	{ "export", "FILE", "judge this export, instead of the database", false }, \
	{ "certificates", "FILE", certificates, false }
#define AUDIT_TAIL_OPTIONS \
	{ "rows", "N", "how many; default 20", false }, \
	{ "follow", NULL, "and what comes, until it is interrupted", false }

/* Of a file that somebody has, the roots and what is under them: appends to *ch, and into t. */
int audit_certificates(struct chain *ch, struct trust *t, const char *path, struct err *e);
/* All of --against, then the rows and heads of --export, or of d. name: of d, for messages. */
int audit_verify_all(const struct cli *c, struct audit_judge *j, struct db *d, const char *name, struct trust *manifests, struct err *e);
void audit_verified(const struct cli *c, const struct audit_judge *j);	/* says so */

/* To --out, else to standard output; it is closed. */
int audit_out(const struct cli *c, int (*write)(void *arg, FILE *out, struct err *e), void *arg, struct err *e);
/* Who signed, heads, rows, in this order: rows that come meanwhile are behind all heads. Fits audit_out(). */
struct audit_source {
	struct db *db;
	bool signers;		/* it keeps certificates (AUDIT_SIGNER_SQL) */
};
int audit_export(void *source, FILE *out, struct err *e);

int audit_row_show(FILE *out, bool json, const struct audit_row *row, struct err *e);
int audit_tail_rows(const struct cli *c, uint64_t *rows, struct err *e);	/* --rows */
int audit_tail(const struct cli *c, struct db *d, uint64_t rows, struct err *e);	/* --follow: until it is interrupted */

#endif
