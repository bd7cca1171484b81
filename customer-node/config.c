#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "limits.h"
#include "mem.h"
#include "node.h"
#include "service.h"
#include "store.h"
#include "text.h"

#define PENDING_MAX_S (7 * 86400)	/* a device that has not confirmed for a week is dead or stolen */

int node_listen_parse(const char *text, char address[256], uint16_t *port, struct err *e)
{
	const char *colon = strrchr(text, ':');
	uint64_t value;
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (!colon || n == 0 || n >= 256 || text_uint(&value, colon + 1, UINT16_MAX) < 0)
		return err_set(e, REASON_CONFIG, "\"%s\" is not ADDR:PORT; write for example 0.0.0.0:8443 or [::]:8443", text);
	if (text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	memcpy(address, text, n);
	address[n] = 0;
	*port = (uint16_t)value;
	return 0;
}

enum { AT_VERSION, NAME, LISTEN, CA, ID_OF_CA, PLAIN_EST, PENDING, FACTORY_CRL, METRICS, UNIT_KEY, CREDENTIAL, FIELDS };

static int read_crls(struct node_conf *c, const struct conf_node *list, struct err *e)
{
	size_t n = list ? conf_count(list) : 0;
	struct url u;
	struct err why;

	if (n > LIMIT_CRL_SOURCES)
		return conf_error(list, e, "more than %d factory CRLs", LIMIT_CRL_SOURCES);
	for (size_t i = 0; i < n; i++) {
		const struct conf_node *item = conf_item(list, i);

		if (conf_kind(item) != CONF_SCALAR || !conf_text(item)[0])
			return conf_error(item, e, "write a file or an address, like factory-crl: [\"https://ca.acme.example/crl/issuing.crl\"]");
		if (conf_str(item, c->factory_crl[i], sizeof c->factory_crl[i], e) < 0)
			return -1;
		if (strstr(c->factory_crl[i], "://") && url_parse(&u, c->factory_crl[i], &why) < 0)
			return conf_error(item, e, "%s", why.text);
	}
	c->n_factory_crls = n;
	return 0;
}

static int read_fields(struct node_conf *c, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[FIELDS] = {
		[AT_VERSION] = { "version", CONF_SCALAR, true },
		[NAME] = { "name", CONF_SCALAR, true },
		[LISTEN] = { "listen", CONF_SCALAR, true },
		[CA] = { "ca", CONF_SCALAR, true },
		[ID_OF_CA] = { "ca-id", CONF_SCALAR, false },
		[PLAIN_EST] = { "plain-est", CONF_SCALAR, false },
		[PENDING] = { "pending", CONF_SCALAR, false },
		[FACTORY_CRL] = { "factory-crl", CONF_LIST, false },
		[METRICS] = { "metrics", CONF_SCALAR, false },
		[UNIT_KEY] = { "unit-key", CONF_SCALAR, false },
		[CREDENTIAL] = { "unit-credential", CONF_SCALAR, false },
	};
	const struct conf_node *f[FIELDS];
	struct err why;

	if (conf_fields(root, fields, FIELDS, f, e) < 0 || conf_version(f[AT_VERSION], root, e) < 0 ||
	    conf_str(f[NAME], c->name, sizeof c->name, e) < 0 || conf_bool(f[PLAIN_EST], &c->plain_est, e) < 0 ||
	    conf_seconds(f[PENDING], &c->pending_s, PENDING_MAX_S, e) < 0 ||
	    conf_str(f[CA], c->ca_url, sizeof c->ca_url, e) < 0 || conf_str(f[ID_OF_CA], c->ca_id, sizeof c->ca_id, e) < 0 ||
	    unit_place_read(&c->place, f[UNIT_KEY], f[CREDENTIAL], e) < 0)
		return -1;
	if (!text_is_token(c->name, LIMIT_NAME))
		return conf_error(f[NAME], e, "a name is letters, digits, dots, underlines and hyphens, at most %d", LIMIT_NAME);
	if (node_listen_parse(conf_text(f[LISTEN]), c->address, &c->port, &why) < 0)
		return conf_error(f[LISTEN], e, "%s", why.text);
	if (f[METRICS] && node_listen_parse(conf_text(f[METRICS]), c->metrics_address, &c->metrics_port, &why) < 0)
		return conf_error(f[METRICS], e, "%s", why.text);
	if (url_parse(&c->ca, c->ca_url, &why) < 0)
		return conf_error(f[CA], e, "%s", why.text);
	if (f[ID_OF_CA] && !text_is_token(c->ca_id, CA_ID_MAX))
		return conf_error(f[ID_OF_CA], e, "a CA's id is letters, digits, dots, underlines and hyphens, at most %d", CA_ID_MAX);
	if (c->pending_s == 0)
		return conf_error(f[PENDING], e, "a device needs some time to confirm; write 15m");
	return read_crls(c, f[FACTORY_CRL], e);
}

static int conf_path(char path[FILE_PATH], const char *dir, struct err *e)
{
	if (file_join(path, e, dir, NODE_CONF) < 0)
		return -1;
	return file_exists(path) ? 0 : err_set(e, REASON_CONFIG, "%s is missing; make it with handsel-node --dir %s init", path, dir);
}

struct db *node_db_open(const char *dir, struct err *e)
{
	char path[FILE_PATH];

	return conf_path(path, dir, e) < 0 || file_join(path, e, dir, NODE_DB) < 0 ? NULL : store_open(path, e);
}

int node_conf_load(struct node_conf *c, const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct conf *conf;
	int rc;

	*c = (struct node_conf){ .pending_s = TIMEOUT_PENDING_S };
	if (conf_path(path, dir, e) < 0)
		return -1;
	conf = conf_load(path, e);
	if (!conf)
		return -1;
	rc = read_fields(c, conf_root(conf), e);
	conf_free(conf);
	return rc;
}

static const char conf_format[] =
	"# What a handsel-node is; handsel-node(1) explains every key. `handsel-node config check` judges it.\n"
	"version: 1\n"
	"name: \"%s\"\n"
	"listen: \"%s:%u\"\n"
	"\n"
	"# the customer's handsel-ca\n"
	"ca: \"%s\"\n"
	"%s%s%s"
	"\n"
	"# true lets EST clients in that carry no Handsel request id (curl, strongSwan, ...). It weakens: a late message of an\n"
	"# older try cannot be told from a new one, handing out counts as confirmation, and no signature of the factory key\n"
	"# binds the new key. Leave it false where all devices run handsel-agent.\n"
	"plain-est: %s\n"
	"\n"
	"# how long a device may take from the certificate to its confirmation, counted while the node runs\n"
	"pending: %llus\n";

int node_conf_save(const struct node_conf *c, const char *dir, struct err *e)
{
	bool v6 = strchr(c->address, ':') != NULL;
	char path[FILE_PATH], address[260];
	struct buf b = {0};
	int rc;

	if (file_join(path, e, dir, NODE_CONF) < 0)
		return -1;
	snprintf(address, sizeof address, "%s%s%s", v6 ? "[" : "", c->address, v6 ? "]" : "");
	buf_fmt(&b, conf_format, c->name, address, c->port, c->ca_url,
		c->ca_id[0] ? "ca-id: \"" : "", c->ca_id, c->ca_id[0] ? "\"\n" : "", c->plain_est ? "true" : "false",
		(unsigned long long)c->pending_s);
	unit_place_write(&c->place, &b);
	rc = file_replace(path, b.data, b.len, 0644, e);
	buf_free(&b);
	return rc;
}

/* ---- identities ---- */
/* A key may come from the service manager instead of the folder. */
static struct key *load_key(const char *dir, const char *name, const struct cert *certificate, struct err *e)
{
	char file[64], path[FILE_PATH];
	struct node_conf conf;

	snprintf(file, sizeof file, "%s.key", name);
	if (service_credential(path, file))
		return key_load(path, e);
	return node_conf_load(&conf, dir, e) < 0 ? NULL : unit_key_load(&conf.place, dir, name, certificate, e);
}

struct key *node_key(const char *dir, const char *name, struct err *e)
{
	return load_key(dir, name, NULL, e);
}

static int identity_check(const struct node_identity *id, const char *path, struct err *e)
{
	struct buf spki = {0};
	int rc = key_spki(id->key, &spki, e);

	if (rc == 0 && !buf_same(&spki, &id->chain.cert[0].spki))
		rc = err_set(e, REASON_CONFIG, "%s is not a certificate of the key beside it; have the .csr beside it certified", path);
	if (rc == 0 && strcmp(id->chain.cert[0].role, "node") != 0)
		rc = err_set(e, REASON_CONFIG, "%s has the role \"%s\" instead of \"node\"; have it issued with --role node", path,
			     id->chain.cert[0].role);
	buf_free(&spki);
	return rc;
}

int node_identity_load(struct node_identity *id, const char *dir, const char *name, const char *certificate, struct err *e)
{
	char path[FILE_PATH];

	*id = (struct node_identity){0};
	if (file_join_end(path, e, dir, certificate, ".pem") < 0)
		goto fail;
	if (!file_exists(path)) {
		err_set(e, REASON_CONFIG, "%s is missing; certify the node with: handsel-ca unit issue %s/%s.csr --role node "
				"--name NAME --host HOST --out %s", path, dir, name, path);
		goto fail;
	}
	if (chain_load(&id->chain, path, e) < 0 || !(id->key = load_key(dir, name, &id->chain.cert[0], e)) || identity_check(id, path, e) < 0)
		goto fail;
	return 0;
fail:
	node_identity_free(id);
	return -1;
}

void node_identity_free(struct node_identity *id)
{
	key_free(id->key);
	chain_free(&id->chain);
	*id = (struct node_identity){0};
}

int node_identity_copy(struct node_identity *to, const struct node_identity *from, struct err *e)
{
	*to = (struct node_identity){ .key = key_share(from->key) };
	if (chain_append(&to->chain, &from->chain, e) == 0)
		return 0;
	node_identity_free(to);
	return -1;
}

int node_identity_make(const struct unit_place *place, const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH];
	struct buf csr = {0}, pem = {0};
	struct key *key = unit_key_make(place, dir, name, e);
	int rc = -1;

	if (key && file_join_end(path, e, dir, name, ".csr") == 0 && csr_build(key, NULL, NULL, &csr, e) == 0) {
		csr_to_pem(&csr, &pem);
		rc = file_replace(path, pem.data, pem.len, 0644, e);
	}
	key_free(key);
	buf_free(&csr);
	buf_free(&pem);
	return rc;
}

struct trust *node_trust(const struct chain *ch, struct err *e)
{
	struct trust *t = trust_new();

	if (trust_add_root(t, &ch->cert[ch->n - 1], e) == 0)
		return t;
	trust_free(t);
	return NULL;
}
