/* cmd.h - the commands of handsel-ca and what they share. They work on the ledger itself, also while `serve` runs:
 * SQLite lets one writer in at a time. Each that needs a signature starts a signer of its own. */
#ifndef HANDSEL_CA_CMD_H
#define HANDSEL_CA_CMD_H

#include "action.h"
#include "authority.h"
#include "cli.h"
#include "db.h"
#include "documents.h"
#include "key.h"
#include "keys.h"
#include "publish.h"
#include "signer.h"
#include "system.h"

enum cli_exit cmd_init(const struct cli *c);
enum cli_exit cmd_serve(const struct cli *c);
enum cli_exit cmd_unit_issue(const struct cli *c);
enum cli_exit cmd_unit_invite(const struct cli *c);
enum cli_exit cmd_unit_list(const struct cli *c);
enum cli_exit cmd_operator_enrol(const struct cli *c);
enum cli_exit cmd_operator_invite(const struct cli *c);
enum cli_exit cmd_operator_list(const struct cli *c);
enum cli_exit cmd_operator_revoke(const struct cli *c);
enum cli_exit cmd_operator_two_person(const struct cli *c);
enum cli_exit cmd_action_list(const struct cli *c);
enum cli_exit cmd_action_show(const struct cli *c);
enum cli_exit cmd_action_approve(const struct cli *c);
enum cli_exit cmd_action_reject(const struct cli *c);
enum cli_exit cmd_order_show(const struct cli *c);
enum cli_exit cmd_order_create(const struct cli *c);
enum cli_exit cmd_order_extend(const struct cli *c);
enum cli_exit cmd_order_reconcile(const struct cli *c);
enum cli_exit cmd_order_list(const struct cli *c);
enum cli_exit cmd_order_close(const struct cli *c);
enum cli_exit cmd_issued_list(const struct cli *c);
enum cli_exit cmd_issued_show(const struct cli *c);
enum cli_exit cmd_issued_export(const struct cli *c);
enum cli_exit cmd_revoke(const struct cli *c);
enum cli_exit cmd_takeover(const struct cli *c);
enum cli_exit cmd_rework(const struct cli *c);
enum cli_exit cmd_crl(const struct cli *c);
void crl_report(const struct cli *c, const char *name, const struct published *p, const char *out);	/* what became of a list */
enum cli_exit cmd_status(const struct cli *c);
enum cli_exit cmd_unlock(const struct cli *c);
enum cli_exit cmd_reconcile(const struct cli *c);
enum cli_exit cmd_ca_backup_create(const struct cli *c);
enum cli_exit cmd_ca_backup_verify(const struct cli *c);
enum cli_exit cmd_ca_backup_restore(const struct cli *c);
enum cli_exit cmd_handoff_grant(const struct cli *c);
enum cli_exit cmd_handoff_accept(const struct cli *c);
enum cli_exit cmd_ship(const struct cli *c);
enum cli_exit cmd_config_check(const struct cli *c);
enum cli_exit cmd_ceremony_check(const struct cli *c);
enum cli_exit cmd_ceremony_rehearse(const struct cli *c);
enum cli_exit cmd_ceremony_run(const struct cli *c);
enum cli_exit cmd_ca_add(const struct cli *c);
enum cli_exit cmd_ca_list(const struct cli *c);
enum cli_exit cmd_ca_rollover(const struct cli *c);
enum cli_exit cmd_root_sign(const struct cli *c);
enum cli_exit cmd_root_crl(const struct cli *c);
enum cli_exit cmd_audit_verify(const struct cli *c);
enum cli_exit cmd_audit_export(const struct cli *c);
enum cli_exit cmd_audit_tail(const struct cli *c);
enum cli_exit cmd_audit_head(const struct cli *c);
enum cli_exit cmd_audit_accept(const struct cli *c);
enum cli_exit cmd_root_install(const struct cli *c);
enum cli_exit cmd_profile_list(const struct cli *c);
enum cli_exit cmd_profile_show(const struct cli *c);
enum cli_exit cmd_profile_lint(const struct cli *c);
enum cli_exit cmd_profile_preview(const struct cli *c);

/* ---- shared ---- */
#define CEREMONY_MS 600000	/* a person may have to give a passphrase, or to fetch a token and give its PIN */
int signer_ceremony(const char *const *argv, struct err *e);	/* runs handsel-signer to its end */
#define LISTEN_DEFAULT "0.0.0.0:8443"

struct office {
	char dir[FILE_PATH];	/* of the CA that the command is about */
	struct settings settings;
	struct authority ca;
	struct db *ledger;
	char actor[WHO_MAX + LIMIT_NAME + 2];	/* "operator:operator/0a1b maria", for the audit: who reads the folder, and his login */
};
int office_open(struct office *o, const struct cli *c, struct err *e);	/* the CA of --ca, else the system's first */
int office_open_at(struct office *o, const char *dir, struct err *e);
void office_close(struct office *o);

/* What making a CA needs beside its settings: from the command line, or from a step of a ceremony. Borrows its words. */
#define MAKING_WORDS (KEY_HOME_WORDS + 8)	/* of a ceremony: its file, and three lives */
struct ca_making {
	char host[SIGNER_HOSTS][128];	/* of the server, "" after the last */
	const char *word[MAKING_WORDS];	/* for handsel-signer: where keys live, and what a ceremony says */
	size_t n_words;
};
int making_of_cli(struct ca_making *m, const struct cli *c, struct err *e);

/* Options that init and "ca add" have in common, and the CA itself in its folder: certificates, keys, server and operator,
 * ca.yaml last, so that after a cut the same is simply asked for again. */
int ca_options(struct settings *s, const struct cli *c, struct err *e);
int ca_make(const struct settings *s, const char *dir, const struct ca_making *m, char root[SHA256_HEX], struct err *e);

/* A new generation, or what is left of one that was cut; and the end of the overlap. */
int ca_rollover(struct office *o, const struct ca_making *m, struct err *e);
int ca_rollover_finish(struct office *o, struct err *e);
int ca_rollover_done(const struct office *o, struct err *e);	/* 1: the overlap is there, and the CA's own units are renewed; 0; -1 */

/* What an upper CA's `root sign` wrote, which is to be by the root with this hash; *ch: these two certificates. */
int root_install(struct office *o, const char *file, const uint8_t upper[SHA256_LEN], struct chain *ch, struct err *e);

/* The operator's key and chain, which sign orders, bundles and manifests. */
struct operator {
	struct key *key;
	struct chain chain;
};
int operator_load(struct operator *op, const char *dir, struct err *e);
void operator_free(struct operator *op);

/* A unit's certificate of the public key `spki`, entered in the ledger; *ch: leaf, unit CA. Codes of the signer. */
int unit_certify(struct office *o, struct signer *s, const struct unit_plan *plan, const struct buf *spki,
		 struct chain *ch, struct err *e);
int unit_hosts(struct unit_plan *plan, const struct cli *c, struct err *e);	/* every --host */
/* Into the ledger, within a transaction. */
int invitation_enter(struct db *ledger, const struct invitation *v, const struct buf *cms, const char *actor, struct err *e);
/* From the options of a command; persons have functions, and are made by "operator invite". */
int invitation_from(struct invitation *v, const struct cli *c, struct err *e);
int invitation_make(struct invitation *v, const char *role, const char *name, const struct cli *c, struct err *e);
void invitation_show(const struct cli *c, const struct invitation *v, const char *text);	/* the code, once */
int csr_load(struct csr *csr, const char *path, struct err *e);			/* PEM or DER, signature verified */

/* Asked for what is not there: an answer, no error. */
enum cli_exit cli_nothing(const struct cli *c, const struct err *e);

/* The value of an option that must be there: never NULL with 0. */
int option_needed(const struct cli *c, const char *name, const char **value, struct err *e);
int reason_needed(const struct cli *c, const char **reason, struct err *e);	/* --reason, for the audit */

#endif
