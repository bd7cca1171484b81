#include <config.h>

#include "root.h"

#include <string.h>

#include "clock.h"
#include "cross.h"
#include "log.h"
#include "mem.h"
#include "text.h"

static int root_path(char path[FILE_PATH], const struct station *s, struct err *e)
{
	return file_join(path, e, s->dir, "root.pem");
}

int root_load(struct station *s, struct err *e)
{
	char path[FILE_PATH];

	if (root_path(path, s, e) < 0 || chain_load(&s->root, path, e) < 0)
		return -1;
	s->trust = trust_new();
	s->made = trust_new();
	for (size_t i = 0; i < s->root.n; i++)
		if (trust_add_root(s->made, &s->root.cert[i], e) < 0)
			return err_prefix(e, "%s", path);
	return trust_add_root(s->trust, &s->root.cert[0], e);
}

void root_free(struct station *s)
{
	trust_free(s->trust);
	trust_free(s->made);
	chain_free(&s->root);
	s->trust = s->made = NULL;
}

/* ---- a newer one ---- */
/* The station was certified anew: the word of the root in force for a newer one comes with its certificate. */
static bool was_told(const struct station *s)
{
	for (size_t i = 1; i < s->chain.n; i++)
		if (strcmp(s->chain.cert[i].issuer, s->root.cert[0].subject) == 0 &&
		    strcmp(s->chain.cert[i].subject, s->chain.cert[0].issuer) != 0)
			return true;
	return false;
}

static int ask(const struct station *s, struct ca_reply *r, struct err *e)
{
	struct url url = s->ca;
	struct ca_client client = { .connect = ca_connect_url, .arg = &url, .host = url.host, .ca = s->ca_id, .chain = &s->chain,
				    .key = s->key, .trust = s->trust };
	struct ca_message *m = ca_message_new(1);
	int rc;

	m->request[0].kind = CA_CERTIFICATES;
	rc = ca_client_call(&client, m, r, e);
	ca_client_close(&client);
	ca_message_free(m);
	if (rc < 0)
		return -1;
	return r->n == 1 && r->answer[0].result == CA_CERTIFICATES_ARE ? 0 : err_set(e, REASON_REQUEST, "the CA's answer has no certificates");
}

/* Of the generation before nothing is given any more but its root's word for the newer one. */
static bool is_over(const struct chain *cas, const struct cert *old, const struct cert *newer, int64_t now)
{
	struct err no;

	for (size_t i = 0; i < cas->n; i++)
		if (strcmp(cas->cert[i].issuer, old->subject) == 0 && strcmp(cas->cert[i].subject, old->subject) != 0 &&
		    cross_verify(&cas->cert[i], newer, old, now, &no) < 0)
			return false;
	return true;
}

/* Those that were in force stay behind it, and no more of them than a file may have. */
static int put_first(struct station *s, const struct cert *newer, struct err *e)
{
	char path[FILE_PATH];
	struct buf pem = {0};
	int rc = -1;

	cert_to_pem(newer, &pem);
	for (size_t i = 0; i < s->root.n && i + 1 < LIMIT_CHAIN; i++)
		cert_to_pem(&s->root.cert[i], &pem);
	if (root_path(path, s, e) == 0)
		rc = file_replace(path, pem.data, pem.len, 0644, e);
	buf_free(&pem);
	if (rc < 0)
		return -1;
	root_free(s);
	return root_load(s, e);
}

static int take_up(struct station *s, const struct chain *cas, struct err *e)
{
	const struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .role = "station", .now = clock_utc() };
	const struct cert *newer = cross_newer(cas, &s->root.cert[0], rule.now);
	char hash[SHA256_HEX];

	if (!newer || !cross_leads(newer, &s->chain, &rule) || !is_over(cas, &s->root.cert[0], newer, rule.now))
		return 0;
	text_hex(hash, newer->sha256, SHA256_LEN);
	log_info("the factory's root is now \"%s\" (SHA-256 %s), by the word of the one before", newer->subject, hash);
	return put_first(s, newer, e);
}

void root_take_up(struct station *s)
{
	struct ca_reply *r;
	struct err e;

	if (!was_told(s))
		return;
	r = ca_reply_new(0);
	if (ask(s, r, &e) < 0 || take_up(s, &r->answer[0].chain, &e) < 0)
		log_err(&e, "the factory's new root");
	ca_reply_free(r);
}
