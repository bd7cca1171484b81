/* init, handoff request, handoff accept, config check. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allowlist.h"
#include "authn.h"
#include "clock.h"
#include "cmd.h"
#include "documents.h"
#include "enrolment.h"
#include "makers.h"
#include "mem.h"
#include "node.h"

#define LISTEN_DEFAULT "0.0.0.0:8443"

static const char first_allowlist[] =
	"# Which devices may have a credential of this site; handsel-node(1), ALLOWLIST, explains every key.\n"
	"# Check with `handsel-node lint`, look with `plan`, put in force with `apply`. Keep it in Git.\n"
	"#\n"
	"#   - serial: \"00012345\"          # always in quotes\n"
	"#     model: \"gateway-b\"          # optional, like all but the serial\n"
	"#     expires: \"2027-06-30\"       # last day for a first onboarding\n"
	"#     state: blocked              # its credential is revoked and it is let in no more\n"
	"#     note: gate 7, ask Maria\n"
	"version: 1\n"
	"devices: []\n";

const struct cli_option init_options[] = {
	{ "name", "NAME", "name of this node, as in its certificate", false },
	{ "ca", "URL", "https://HOST:PORT of the customer's handsel-ca", false },
	{ "ca-id", "ID", "which CA of that system, where it has several", false },
	{ "ca-root", "FILE", "the customer's root certificate (PEM)", false },
	{ "listen", "ADDR:PORT", "where to serve, default " LISTEN_DEFAULT, false },
	UNIT_KEY_OPTIONS,
	{ "host", "NAME_OR_IP", "a name or address that devices use, for the hint to the CA's operator", true },
	{ 0 },
};
const struct cli_option enrol_options[] = {
	{ "name", "NAME", "name of this node, as in its invitation", false },
	{ "ca", "URL", "https://HOST:PORT of the customer's handsel-ca", false },
	{ "code", "CODE", "of `handsel-ca unit invite`: eight groups of five characters", false },
	{ "ca-id", "ID", "which CA of that system, where it has several", false },
	{ "listen", "ADDR:PORT", "where to serve, default " LISTEN_DEFAULT, false },
	UNIT_KEY_OPTIONS,
	{ 0 },
};
const struct cli_option request_options[] = {
	{ "out", "FILE", "where to write the request (PEM)", false },
	{ 0 },
};
const struct cli_option accept_options[] = {
	{ "root-fingerprint", "HEX", "SHA-256 of the manufacturer's root, obtained by telephone or paper, not with the bundle",
	  false },
	{ 0 },
};

static const char *need(const struct cli *c, const char *name, struct err *e)
{
	const char *value = cli_get(c, name);

	if (!value)
		err_set(e, REASON_CONFIG, "--%s is needed", name);
	return value;
}

/* ---- init ---- */
static int write_new(const char *dir, const char *name, const char *text, size_t len, struct err *e)
{
	char path[FILE_PATH];

	if (file_join(path, e, dir, name) < 0)
		return -1;
	return file_exists(path) ? 0 : file_replace(path, text, len, 0644, e);
}

static int copy_root(const char *dir, const char *from, struct err *e)
{
	struct chain root = {0};
	struct trust *t;
	int rc = -1;

	if (chain_load(&root, from, e) < 0)
		return -1;
	t = node_trust(&root, e);
	if (root.n != 1)
		err_set(e, REASON_CONFIG, "%s holds %zu certificates; give the root alone", from, root.n);
	else if (!t)
		err_prefix(e, "%s", from);
	else
		rc = chain_save_in(&root, dir, NODE_CA_ROOT, e);
	trust_free(t);
	chain_free(&root);
	return rc;
}

static int make_database(const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct db *db = file_join(path, e, dir, NODE_DB) < 0 ? NULL : store_open(path, e);

	db_close(db);
	return db ? 0 : -1;
}

static int init_conf(const struct cli *c, struct node_conf *conf, struct err *e)
{
	const char *id = cli_get(c, "ca-id"), *name = need(c, "name", e), *ca = name ? need(c, "ca", e) : NULL, *listen = cli_get(c, "listen");

	*conf = (struct node_conf){ .pending_s = TIMEOUT_PENDING_S };
	if (!ca)
		return -1;
	if (!text_is_token(name, LIMIT_NAME))
		return err_set(e, REASON_CONFIG, "--name %s: letters, digits, dots, underlines and hyphens, at most %d", name,
			       LIMIT_NAME);
	if (url_parse(&conf->ca, ca, e) < 0)
		return -1;
	if (id && (!text_is_token(id, CA_ID_MAX) || text_copy(conf->ca_id, sizeof conf->ca_id, id) < 0))
		return err_set(e, REASON_CONFIG, "--ca-id %s: letters, digits, dots, underlines and hyphens, at most %d", id, CA_ID_MAX);
	if (unit_place_options(&conf->place, c, e) < 0)
		return -1;
	if (text_copy(conf->name, sizeof conf->name, name) < 0 || text_copy(conf->ca_url, sizeof conf->ca_url, ca) < 0)
		return err_set(e, REASON_CONFIG, "--ca is too long");
	return node_listen_parse(listen ? listen : LISTEN_DEFAULT, conf->address, &conf->port, e);
}

static void init_report(const struct cli *c, const struct node_conf *conf)
{
	const char *dir = cli_dir(c);
	struct buf next = {0};

	buf_fmt(&next, "handsel-ca unit issue '%s/node.csr' --role node --name %s", dir, conf->name);
	for (size_t i = 0; i < cli_count(c, "host"); i++)
		buf_fmt(&next, " --host %s", cli_get_n(c, "host", i));
	buf_fmt(&next, " --out '%s/node.pem'", dir);
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_str(j, "name", conf->name);
		jsonl_str(j, "dir", dir);
		jsonl_str(j, "next", buf_text(&next));
		jsonl_print(j);
	} else {
		printf("%s is ready. Next, at the customer's CA:\n  %s\nthen the handoff with the manufacturer: handsel-node handoff request\n",
		       dir, buf_text(&next));
	}
	buf_free(&next);
}

static int new_folder(const char *dir, struct err *e)
{
	char path[FILE_PATH];

	if (file_mkdir(dir, e) < 0 || file_join(path, e, dir, NODE_CONF) < 0)
		return -1;
	return file_exists(path) ? err_set(e, REASON_CONFIG, "%s is there already; a new node is made only in a new folder", path) : 0;
}

static int make_identities(const char *dir, const struct unit_place *place, struct err *e)
{
	return node_identity_make(place, dir, NODE_OWN, e) < 0 ? -1 : node_identity_make(place, dir, NODE_ONBOARD, e);
}

/* node.yaml last: with it the folder is whole. */
static int make_rest(const char *dir, const struct node_conf *conf, struct err *e)
{
	return make_database(dir, e) < 0 || write_new(dir, NODE_ALLOWLIST, first_allowlist, sizeof first_allowlist - 1, e) < 0
		? -1 : node_conf_save(conf, dir, e);
}

enum cli_exit cmd_init(const struct cli *c)
{
	const char *dir = cli_dir(c);
	struct node_conf conf;
	struct err e;

	if (!need(c, "ca-root", &e) || init_conf(c, &conf, &e) < 0 || new_folder(dir, &e) < 0 || copy_root(dir, cli_get(c, "ca-root"), &e) < 0 ||
	    make_identities(dir, &conf.place, &e) < 0 || make_rest(dir, &conf, &e) < 0)
		return cli_fail(c, &e);
	init_report(c, &conf);
	return EXIT_DONE;
}

/* ---- enrol ---- */
/* The keys are made once: asked again after a cut, the node gets the same certificate, though the code is used. */
static int enrol(const char *dir, const struct node_conf *conf, const struct invite *code, struct err *e)
{
	struct chain root = {0}, chain = {0};
	struct key *key = NULL;
	int rc = -1;

	if (enrolment_root(&conf->ca, conf->ca_id, code, &root, e) < 0 || new_folder(dir, e) < 0 ||
	    chain_save_in(&root, dir, NODE_CA_ROOT, e) < 0 || make_identities(dir, &conf->place, e) < 0 ||
	    !(key = unit_key_load(&conf->place, dir, NODE_OWN, NULL, e)) ||
	    enrolment_enrol(&conf->ca, conf->ca_id, &root, code, key, &chain, e) < 0)
		goto out;
	if (strcmp(chain.cert[0].role, "node") != 0 || strcmp(chain.cert[0].name, conf->name) != 0)
		err_set(e, REASON_ROLE, "the code is for %s:%s, not for node:%s", chain.cert[0].role, chain.cert[0].name, conf->name);
	else if (chain_save_in(&chain, dir, NODE_OWN ".pem", e) == 0)
		rc = make_rest(dir, conf, e);
out:
	key_free(key);
	chain_free(&root);
	chain_free(&chain);
	return rc;
}

enum cli_exit cmd_enrol(const struct cli *c)
{
	struct node_conf conf;
	struct invite code = {0};
	const char *text;
	struct jsonl *j;
	struct err e;
	int rc = -1;

	text = need(c, "code", &e);
	if (text && init_conf(c, &conf, &e) == 0 && invite_parse(&code, text, &e) == 0)
		rc = enrol(cli_dir(c), &conf, &code, &e);
	mem_wipe(&code, sizeof code);
	if (rc < 0)
		return cli_fail(c, &e);
	if (cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "name", conf.name);
		jsonl_str(j, "dir", cli_dir(c));
		jsonl_print(j);
	} else {
		printf("%s is node %s now. Next: the handoff with the manufacturer: handsel-node handoff request\n", cli_dir(c), conf.name);
	}
	return EXIT_DONE;
}

/* ---- handoff ---- */
enum cli_exit cmd_handoff_request(const struct cli *c)
{
	char path[FILE_PATH];
	struct buf csr = {0};
	const char *out;
	struct err e;
	int rc = -1;

	out = need(c, "out", &e);
	if (out && file_join(path, &e, cli_dir(c), NODE_ONBOARD ".csr") == 0 && file_read(&csr, path, 0, &e) == 0)
		rc = file_replace(out, csr.data, csr.len, 0644, &e);
	buf_free(&csr);
	if (rc < 0)
		return cli_fail(c, &e);
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_str(j, "request", out);
		jsonl_print(j);
	} else {
		printf("%s is for the manufacturer, who answers with a handoff bundle\n", out);
	}
	return EXIT_DONE;
}

static int handoff_open(const struct cli *c, struct handoff *h, struct err *e)
{
	const char *hex = need(c, "root-fingerprint", e);
	uint8_t root[SHA256_LEN];
	struct buf cms = {0};
	int rc = -1;

	if (!hex)
		return -1;
	if (text_unhex(root, sizeof root, hex) < 0)
		return err_set(e, REASON_CONFIG, "--root-fingerprint is not 64 hex digits (SHA-256 of the root certificate)");
	if (file_read(&cms, cli_arg(c, 0), 0, e) == 0)
		rc = handoff_read(h, cms.data, cms.len, root, e);
	buf_free(&cms);
	return rc;
}

/* The certificate must be for our key and hold under the manufacturer's root for what it will be used for. */
static int handoff_check(const char *dir, const struct handoff *h, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_SERVER, .role = "node", .now = clock_utc() };
	struct trust *t = node_trust(&h->factory, e);
	struct key *key = NULL;
	struct buf spki = {0};
	int rc = -1;

	if (!t || authn_check_factory(&h->factory, e) < 0 || !(key = node_key(dir, NODE_ONBOARD, e)) || key_spki(key, &spki, e) < 0)
		goto out;
	if (!buf_same(&spki, &h->node.cert[0].spki))
		err_set(e, REASON_AUTHORITY,
			"the bundle is for another node's key; send the request of this node to the manufacturer");
	else
		rc = trust_verify(t, &h->node, &rule, e);
out:
	trust_free(t);
	key_free(key);
	buf_free(&spki);
	return rc;
}

enum cli_exit cmd_handoff_accept(const struct cli *c)
{
	const char *dir = cli_dir(c);
	struct handoff h = {0};
	struct err e;

	if (handoff_open(c, &h, &e) < 0 || handoff_check(dir, &h, &e) < 0 || makers_accept(dir, &h, cmd_actor(), &e) < 0) {
		handoff_free(&h);
		return cli_fail(c, &e);
	}
	if (cli_json(c)) {
		struct jsonl *j = jsonl_new("result");

		jsonl_str(j, "manufacturer", h.manufacturer);
		jsonl_str(j, "customer", h.customer);
		jsonl_print(j);
	} else {
		printf("devices of \"%s\" are recognised now; this customer is \"%s\". A node that runs takes it at its next start.\n",
		       h.manufacturer, h.customer);
	}
	handoff_free(&h);
	return EXIT_DONE;
}

/* ---- config check ---- */
static int check_identity(const struct node_identity *id, const struct chain *root, const char *what, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_SERVER, .role = "node", .now = clock_utc() };
	struct trust *t = node_trust(root, e);
	int rc = t ? trust_verify(t, &id->chain, &rule, e) : -1;

	trust_free(t);
	return rc < 0 ? err_prefix(e, "the node's certificate for %s", what) : 0;
}

static int check_own(const char *dir, struct err *e)
{
	struct node_identity id = {0};
	struct chain root = {0};
	char path[FILE_PATH];
	int rc = -1;

	if (node_identity_load(&id, dir, NODE_OWN, NODE_OWN, e) == 0 && file_join(path, e, dir, NODE_CA_ROOT) == 0 &&
	    chain_load(&root, path, e) == 0)
		rc = check_identity(&id, &root, "its own devices and the CA", e);
	chain_free(&root);
	node_identity_free(&id);
	return rc;
}

static int check_makers(const char *dir, struct err *e)
{
	struct maker_set *s = mem_new(1, sizeof *s);
	int rc = maker_set_load(s, dir, e);

	for (size_t i = 0; i < s->n && rc == 0; i++)
		rc = check_identity(&s->one[i].onboard, &s->one[i].factory, s->one[i].name, e);
	maker_set_free(s);
	free(s);
	return rc;
}

static int check_allowlist(const char *dir, struct err *e)
{
	struct allowlist al = {0};
	struct makers makers;
	char path[FILE_PATH];
	int rc = -1;

	if (makers_load(&makers, dir, e) == 0 && file_join(path, e, dir, NODE_ALLOWLIST) == 0 &&
	    allowlist_load(&al, path, &makers, clock_utc(), e) == 0)
		rc = al.problems.errors ? allowlist_refuse(&al, e) : 0;
	allowlist_free(&al);
	return rc;
}

/* Without a source of lists a range or a glob lets nobody in: said here rather than by the first device. */
static int check_patterns(const struct cli *c, struct err *e)
{
	struct crl_view *v = crl_view_open(cli_dir(c), e);
	struct allowlist al = {0};
	struct makers makers;
	char path[FILE_PATH];
	int rc = -1;

	if (v && makers_load(&makers, cli_dir(c), e) == 0 && file_join(path, e, cli_dir(c), NODE_ALLOWLIST) == 0)
		rc = allowlist_load(&al, path, &makers, clock_utc(), e);
	for (size_t i = 0; i < al.n && rc == 0; i++)
		if (al.entry[i].kind != ALLOW_SERIAL && !al.entry[i].blocked && !crl_view_used(v))
			rc = err_set(e, REASON_CONFIG, "%s:%d: a range or glob lets in devices that are in no manifest, for which the "
				     "revocation list of the factory is needed; name it in node.yaml as factory-crl", path,
				     al.entry[i].line);
	if (rc == 0)
		crl_view_print(c, v, NULL);
	allowlist_free(&al);
	crl_view_close(v);
	return rc;
}

enum cli_exit cmd_config_check(const struct cli *c)
{
	const char *dir = cli_dir(c);
	enum cli_exit worst = EXIT_DONE;
	struct node_conf conf;
	struct err e;

	if (node_conf_load(&conf, dir, &e) < 0)
		worst = cli_fail(c, &e);
	if (check_own(dir, &e) < 0)
		worst = cli_fail(c, &e);
	if (check_makers(dir, &e) < 0)
		worst = cli_fail(c, &e);
	if (check_allowlist(dir, &e) < 0)
		worst = cli_fail(c, &e);
	if (worst == EXIT_DONE && check_patterns(c, &e) < 0)
		worst = cli_fail(c, &e);
	if (worst == EXIT_DONE && cli_json(c))
		jsonl_print(jsonl_new("result"));
	else if (worst == EXIT_DONE)
		printf("%s is in order\n", dir);
	return worst;
}
