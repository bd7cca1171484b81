#include <config.h>

#include "cross.h"

#include <string.h>

static bool names_same(const struct cert *a, const struct cert *b)
{
	return a->subject_name.len == b->subject_name.len &&
	       memcmp(a->der.data + a->subject_name.at, b->der.data + b->subject_name.at, a->subject_name.len) == 0;
}

static int is_root(const struct cert *c, struct err *e)
{
	struct trust *t = trust_new();
	int rc = trust_add_root(t, c, e);

	trust_free(t);
	return rc;
}

int cross_verify(const struct cert *cross, const struct cert *root, const struct cert *by, int64_t now, struct err *e)
{
	const struct trust_rule rule = { .purpose = PURPOSE_ANY, .now = now };
	struct chain alone = {0};
	struct trust *t = trust_new();
	int rc = -1;

	if (is_root(root, e) < 0 || trust_add_root(t, by, e) < 0)
		goto out;
	if (!names_same(cross, root) || !buf_same(&cross->spki, &root->spki))
		err_set(e, REASON_AUTHORITY, "the certificate is for \"%s\" or for another key of it, not for the root \"%s\"", cross->subject,
			root->subject);
	else if (!cross->ca || !cross->key_cert_sign)
		err_set(e, REASON_AUTHORITY, "the certificate of \"%s\" by \"%s\" is not for a CA", cross->subject, by->subject);
	else if (chain_add(&alone, cross->der.data, cross->der.len, e) == 0)
		rc = trust_verify(t, &alone, &rule, e);
out:
	chain_free(&alone);
	trust_free(t);
	return rc;
}

const struct cert *cross_find(const struct chain *among, const struct cert *root, const struct cert *by, int64_t now)
{
	struct err no;

	for (size_t i = 0; i < among->n; i++)
		if (cross_verify(&among->cert[i], root, by, now, &no) == 0)
			return &among->cert[i];
	return NULL;
}

const struct cert *cross_newer(const struct chain *among, const struct cert *old, int64_t now)
{
	for (size_t i = 0; i < among->n; i++) {
		const struct cert *c = &among->cert[i];

		if (strcmp(c->subject, c->issuer) == 0 && !buf_same(&c->der, &old->der) && cross_find(among, c, old, now))
			return c;
	}
	return NULL;
}

bool cross_leads(const struct cert *root, const struct chain *chain, const struct trust_rule *rule)
{
	struct trust *t = trust_new();
	struct err no;
	bool yes = trust_add_root(t, root, &no) == 0 && trust_verify(t, chain, rule, &no) == 0;

	trust_free(t);
	return yes;
}
