#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "crl.h"
#include "limits.h"
#include "log.h"
#include "proc.h"
#include "sandbox.h"
#include "signer_serve.h"
#include "text.h"

static int confine(bool token, enum key_sandbox wanted, struct signer_confined *c, struct err *e)
{
	enum sandbox s = wanted == KEY_SANDBOX_OFF	 ? SANDBOX_OFF
			 : !token			 ? SANDBOX_FILES
			 : wanted == KEY_SANDBOX_NETWORK ? SANDBOX_NETWORK
							 : SANDBOX_TOKEN;

	snprintf(c->sandbox, sizeof c->sandbox, "%s", sandbox_name(s));
	c->memory = sandbox_lock_memory();
	if (sandbox_enter(s, e) < 0)
		return -1;
#ifdef ENABLE_FAULT_INJECTION
	if (getenv("HANDSEL_BREAK_OUT"))
		sandbox_break_out(getenv("HANDSEL_BREAK_OUT"));
#endif
	return 0;
}

static enum cli_exit run_serve(const struct cli *c)
{
	const char *purpose = cli_get(c, "for"), *fd = cli_get(c, "fd");
	uint64_t number;
	struct err e;

	if (!purpose || !fd || text_uint(&number, fd, 1023) < 0 ||
	    (strcmp(purpose, "serve") != 0 && strcmp(purpose, "operator") != 0)) {
		err_set(&e, REASON_CONFIG, "handsel-signer is started by handsel-ca");
		return cli_fail(c, &e);
	}
	proc_harden();
	/* a key from the terminal goes to the whole group: we end when the front closes the socket, after its last
	 * batch */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (signer_serve(cli_dir(c), (int)number,
			 strcmp(purpose, "serve") == 0 ? SIGNER_FOR_SERVE : SIGNER_FOR_OPERATOR, confine, &e) == 0)
		return EXIT_DONE;
	log_err(&e, "signer");
	return cli_exit_of(e.code);
}

static int days(uint32_t *out, const struct cli *c, const char *option, struct err *e)
{
	const char *given = cli_get(c, option);
	uint64_t value = 0;

	if (given && (text_uint(&value, given, LIMIT_CEREMONY_DAYS) < 0 || value == 0))
		return err_set(e, REASON_CONFIG, "--%s %s: a whole number of days, at most %d", option, given, LIMIT_CEREMONY_DAYS);
	*out = (uint32_t)value;
	return 0;
}

static int terms_options(struct ceremony_terms *t, const struct cli *c, struct err *e)
{
	const char *file = cli_get(c, "ceremony");
	uint8_t hash[SHA256_LEN];

	*t = (struct ceremony_terms){0};
	if (!file)
		return 0;
	if (text_unhex(hash, sizeof hash, file) < 0)
		return err_set(e, REASON_CONFIG, "--ceremony: the SHA-256 of its file, 64 hex digits");
	text_hex(t->file, hash, sizeof hash);
	return days(&t->root_days, c, "root-days", e) < 0 || days(&t->issuing_days, c, "issuing-days", e) < 0 ? -1
																	: days(&t->unit_days, c, "unit-days", e);
}

static enum cli_exit run_init(const struct cli *c)
{
	const char *kind = cli_get(c, "kind"), *name = cli_get(c, "name");
	struct key_homes homes = { .keys = { .place = KEYSTORE_FILE }, .root = { .place = KEYSTORE_FILE } };
	struct ceremony_terms terms;
	enum site site;
	struct err e;

	if (!kind || site_parse(&site, kind) < 0 || !name || !text_is_name(name, LIMIT_NAME)) {
		err_set(&e, REASON_CONFIG,
			"init needs --kind factory, customer or upper, and --name with at most %d printable characters",
			LIMIT_NAME);
		return cli_fail(c, &e);
	}
	proc_harden();
	return terms_options(&terms, c, &e) == 0 && key_homes_options(&homes, c, &e) == 0 &&
			       signer_init(cli_dir(c), site, name, &homes, &terms, &e) == 0
		       ? EXIT_DONE
		       : cli_fail(c, &e);
}

/* New keys live where those in force do, unless it is said otherwise; a ceremony's file says all of it. */
static int rollover(const struct cli *c, const char *name, struct err *e)
{
	char folder[FILE_PATH];
	struct ceremony_terms terms;
	struct key_homes homes = { .keys = { .place = KEYSTORE_FILE }, .root = { .place = KEYSTORE_FILE } };
	unsigned generation;

	if (terms_options(&terms, c, e) < 0 || generation_of(cli_dir(c), &generation, e) < 0 || generation_path(folder, cli_dir(c), generation, e) < 0 ||
	    (*terms.file ? 0 : key_homes_load(&homes, folder, e)) < 0 || key_homes_options(&homes, c, e) < 0)
		return -1;
	return signer_rollover(cli_dir(c), name, &homes, &terms, e);
}

static enum cli_exit run_rollover(const struct cli *c)
{
	const char *name = cli_get(c, "name");
	struct err e;

	if (!name || !text_is_name(name, LIMIT_NAME)) {
		err_set(&e, REASON_CONFIG, "--name is missing, or not printable");
		return cli_fail(c, &e);
	}
	proc_harden();
	return rollover(c, name, &e) == 0 ? EXIT_DONE : cli_fail(c, &e);
}

static enum cli_exit run_root_sign(const struct cli *c)
{
	const char *out = cli_get(c, "out");
	struct ceremony_terms terms;
	struct err e;

	if (!out) {
		err_set(&e, REASON_CONFIG, "--out is missing");
		return cli_fail(c, &e);
	}
	proc_harden();
	return terms_options(&terms, c, &e) == 0 && signer_root_sign(cli_dir(c), cli_arg(c, 0), out, &terms, &e) == 0 ? EXIT_DONE : cli_fail(c, &e);
}

static int list_of_options(struct root_list *l, const struct cli *c, struct err *e)
{
	const char *reason = cli_get(c, "reason"), *generation = cli_get(c, "generation");
	uint64_t n = 0;

	*l = (struct root_list){ .revoke = cli_get(c, "revoke"), .reason = reason ? crl_reason(reason) : 0 };
	if (!l->revoke != !reason || (reason && !l->reason))
		return err_set(e, REASON_CONFIG, "--revoke FILE goes with --reason REASON, one of RFC 5280 5.3.1");
	if (generation && (text_uint(&n, generation, LIMIT_CEREMONY_DAYS) < 0 || n == 0))
		return err_set(e, REASON_CONFIG, "--generation %s: the number of one of this CA", generation);
	l->generation = (unsigned)n;
	if (days(&l->days, c, "days", e) < 0)
		return -1;
	return l->days <= LIMIT_ROOT_LIST_DAYS ? 0 : err_set(e, REASON_CONFIG, "--days %u: at most %d", l->days, LIMIT_ROOT_LIST_DAYS);
}

static enum cli_exit run_root_list(const struct cli *c)
{
	struct ceremony_terms terms;
	struct root_list l;
	struct err e;

	proc_harden();
	return terms_options(&terms, c, &e) == 0 && list_of_options(&l, c, &e) == 0 && signer_root_list(cli_dir(c), &l, &terms, &e) == 0
		       ? EXIT_DONE
		       : cli_fail(c, &e);
}

#define CEREMONY_OPTION { "ceremony", "SHA256", "of the reviewed file whose step this is", false }
#define TERMS_OPTIONS \
	CEREMONY_OPTION, { "root-days", "N", "how long the root is good, with --ceremony; default: as its profile says", false }, \
	{ "issuing-days", "N", "the issuing CA", false }, { "unit-days", "N", "the unit CA", false }

/* Is the place there where keys are to live? */
static enum cli_exit run_look(const struct cli *c)
{
	enum token_tries tries;
	struct token *t;
	struct err e;
	int rc;

	if (keystore_place_check(cli_arg(c, 0), &e) < 0)
		return cli_fail(c, &e);
	if (!token_is_uri(cli_arg(c, 0)))
		return EXIT_DONE;
	t = token_open(cli_arg(c, 0), &e);
	rc = t ? token_look(t, &tries, &e) : -1;
	if (rc == 0 && tries == TRIES_NONE)
		rc = err_set(&e, REASON_SECRET, "token \"%s\": %s", token_name(t), token_tries_text(tries));
	token_close(t);
	return rc == 0 ? EXIT_DONE : cli_fail(c, &e);
}

static const struct cli_option serve_options[] = {
	{ "fd", "N", "the socket that the front holds the other end of", false },
	{ "for", "PURPOSE", "serve or operator: what may be asked", false },
	{ NULL },
};
static const struct cli_option init_options[] = {
	{ "kind", "KIND", "factory, customer or upper", false },
	{ "name", "NAME", "the company's name", false },
	KEY_HOME_OPTIONS,
	TERMS_OPTIONS,
	{ NULL },
};
static const struct cli_option rollover_options[] = {
	{ "name", "NAME", "the company's name", false },
	KEY_HOME_OPTIONS,
	TERMS_OPTIONS,
	{ NULL },
};
static const struct cli_option sign_options[] = {
	{ "out", "FILE", "the certificate, then the upper root's, PEM", false },
	CEREMONY_OPTION,
	{ NULL },
};
static const struct cli_option list_options[] = {
	{ "generation", "N", "of which root; default: the one in force", false },
	{ "days", "N", "how long it is good", false },
	{ "revoke", "FILE", "a certificate by this root that goes on it for ever", false },
	{ "reason", "REASON", "why, as RFC 5280 5.3.1 has it", false },
	CEREMONY_OPTION,
	{ NULL },
};
static const struct cli_command commands[] = {
	{ "serve", "--fd N --for PURPOSE", "hold the CA keys for handsel-ca, which starts this", serve_options, 0, 0,
	  run_serve },
	{ "init", "--kind KIND --name NAME", "make root, issuing and unit CA in one go", init_options, 0, 0, run_init },
	{ "rollover", "--name NAME", "make a new root, issuing and unit CA beside those in force", rollover_options, 0, 0, run_rollover },
	{ "root sign", "ROOT --out FILE", "certify the root of another CA (upper CA)", sign_options, 1, 1, run_root_sign },
	{ "root crl", "[--generation N] [--days N] [--revoke FILE --reason REASON]", "make the root's revocation list anew", list_options, 0, 0,
	  run_root_list },
	{ "look", "PLACE", "is the token there in which keys are to live?", NULL, 1, 1, run_look },
	{ NULL },
};
static const struct cli_program program = {
	.name = "handsel-signer",
	.summary = "the only holder of a CA system's keys",
	.default_dir = HANDSEL_STATEDIR "/ca",
	.commands = commands,
};

int main(int argc, char **argv)
{
	return cli_main(&program, argc, argv);
}
