#include <config.h>

#include "cross.h"

#include <string.h>

static bool span_same(const struct cert *a, const struct cert_span *x, const struct cert *b, const struct cert_span *y)
{
	return x->len == y->len && memcmp(a->der.data + x->at, b->der.data + y->at, x->len) == 0;
}

/* The same CA: name and key. */
static bool is_of(const struct cert *cross, const struct cert *root)
{
	return span_same(cross, &cross->subject_name, root, &root->subject_name) && buf_same(&cross->spki, &root->spki);
}

/* For a CA that may stand above CAs: the certificate of an issuing or a unit CA, which may not, makes no root of its key. */
static bool is_link(const struct cert *cross)
{
	return cross->ca && cross->key_cert_sign && cross->path_len != 0;
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
	if (!is_of(cross, root))
		err_set(e, REASON_AUTHORITY, "the certificate is for \"%s\" or for another key of it, not for the root \"%s\"", cross->subject,
			root->subject);
	else if (!is_link(cross))
		err_set(e, REASON_AUTHORITY, "the certificate of \"%s\" by \"%s\" is not for a CA that stands above others", cross->subject,
			by->subject);
	else if (chain_add(&alone, cross->der.data, cross->der.len, e) == 0)
		rc = trust_verify(t, &alone, &rule, e);
out:
	chain_free(&alone);
	trust_free(t);
	return rc;
}

/* ---- link by link ---- */
struct walk {
	const struct chain *among;
	const struct cert *root, *by;			/* where to, where from */
	const struct cert *link[LIMIT_ROOT_LINKS];	/* the way so far, the first signed by `by` */
	size_t n;
	int64_t now;
	int checks;					/* signatures left */
};

/* Roots that have certified each other lead in a circle. */
static bool was_met(const struct walk *w, const struct cert *c)
{
	bool met = buf_same(&c->spki, &w->by->spki);

	for (size_t i = 0; i < w->n; i++)
		met |= buf_same(&c->spki, &w->link[i]->spki);
	return met;
}

/* The whole way once more, by all that a chain is judged by: dates, path lengths, name constraints. */
static bool holds(const struct walk *w)
{
	const struct trust_rule rule = { .purpose = PURPOSE_ANY, .now = w->now };
	struct chain way = {0};
	struct err no;
	bool yes = true;

	for (size_t i = w->n; i-- > 0 && yes;)
		yes = chain_add(&way, w->link[i]->der.data, w->link[i]->der.len, &no) == 0;
	yes = yes && cross_leads(w->by, &way, &rule);
	chain_free(&way);
	return yes;
}

/* Forward from the root that is known: so whoever writes a list cannot have more looked at than what trusted roots have signed. */
static bool go_on(struct walk *w, const struct cert *from)
{
	struct err no;

	for (size_t i = 0; i < w->among->n; i++) {
		const struct cert *c = &w->among->cert[i];

		if (!is_link(c) || was_met(w, c) || !span_same(c, &c->issuer_name, from, &from->subject_name) || w->checks-- <= 0 ||
		    cert_signed_by(c, from, &no) < 0)
			continue;
		w->link[w->n++] = c;
		if (is_of(c, w->root) ? holds(w) : w->n < LIMIT_ROOT_LINKS && go_on(w, c))
			return true;
		w->n--;
	}
	return false;
}

bool cross_way(const struct chain *among, const struct cert *root, const struct cert *by, int64_t now)
{
	struct walk w = { .among = among, .root = root, .by = by, .now = now, .checks = LIMIT_LINK_CHECKS };
	struct err no;

	return is_root(root, &no) == 0 && go_on(&w, by);
}

const struct cert *cross_newer(const struct chain *among, const struct cert *old, int64_t now)
{
	for (size_t i = 0; i < among->n; i++) {
		const struct cert *c = &among->cert[i];

		if (strcmp(c->subject, c->issuer) == 0 && !buf_same(&c->der, &old->der) && cross_way(among, c, old, now))
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
