#include <config.h>

#include "x509.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "oid.h"

#define CANDIDATES 8	/* CAs of one name, when keys roll over */

/* A CA whose way to a root is verified. What never changes is judged once: signatures, CA bits. What depends on the time or the
 * rule (dates, policies, path lengths below it) is judged each time along `issuer`. Immutable after it was made, but for refs. */
struct ca {
	struct cert cert;
	gnutls_pubkey_t key;
	struct ca *issuer;	/* NULL: a root; holds a reference */
	bool pinned;
	unsigned refs;		/* under the lock of the trust */
};

struct trust {
	pthread_mutex_t lock;
	struct ca **known;	/* roots and pinned issuers */
	size_t n_known;
	struct ca *learned[LIMIT_TRUST_LEARNED];	/* from peers' chains, the oldest is replaced first */
	size_t next;
};

/* The work for one chain. */
struct search {
	struct trust *trust;
	const struct chain *chain;
	bool all;		/* the chain's first is no leaf, but may be on the way up, too */
	int checks;		/* signature verifications left */
	bool dated;		/* only CAs that are good at `now`: a renewed CA has the name and key of the expired one */
	int64_t now;
};

struct trust *trust_new(void)
{
	struct trust *t = mem_new(1, sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void ca_release(struct ca *ca)
{
	while (ca && --ca->refs == 0) {
		struct ca *above = ca->issuer;

		cert_free(&ca->cert);
		gnutls_pubkey_deinit(ca->key);
		free(ca);
		ca = above;
	}
}

static void ca_put(struct trust *t, struct ca *ca)
{
	pthread_mutex_lock(&t->lock);
	ca_release(ca);
	pthread_mutex_unlock(&t->lock);
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_known; i++)
		ca_release(t->known[i]);
	for (size_t i = 0; i < LIMIT_TRUST_LEARNED; i++)
		ca_release(t->learned[i]);
	free(t->known);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static bool span_same(const struct cert *a, const struct cert_span *x, const struct cert *b, const struct cert_span *y)
{
	return x->len == y->len && memcmp(a->der.data + x->at, b->der.data + y->at, x->len) == 0;
}

static bool self_issued(const struct cert *c)
{
	return span_same(c, &c->issuer_name, c, &c->subject_name);
}

/* Names chain byte for byte; key ids, where both are there, say which of several keys of one name it is. */
static bool names_chain(const struct cert *child, const struct cert *ca)
{
	return span_same(child, &child->issuer_name, ca, &ca->subject_name) &&
	       (!child->issuer_key_id.len || !ca->key_id.len ||
		span_same(child, &child->issuer_key_id, ca, &ca->key_id));
}

static bool signed_by(const struct cert *child, const struct cert *ca, gnutls_pubkey_t key)
{
	gnutls_datum_t tbs = { child->der.data + child->tbs.at, child->tbs.len };
	gnutls_datum_t sig = { child->der.data + child->signature.at, child->signature.len };

	return spki_signed(&ca->spki, key, (gnutls_sign_algorithm_t)child->signature_algorithm, &tbs, &sig);
}

int cert_signed_by(const struct cert *c, const struct cert *ca, struct err *e)
{
	gnutls_pubkey_t key = spki_import(ca->spki.data, ca->spki.len);
	bool good = key && names_chain(c, ca) && signed_by(c, ca, key);

	if (key)
		gnutls_pubkey_deinit(key);
	return good ? 0 : err_set(e, REASON_AUTHORITY, "\"%s\" was not signed by \"%s\"", c->subject, ca->subject);
}

static int may_be_ca(const struct cert *c, struct err *e)
{
	if (!c->ca)
		return err_set(e, REASON_AUTHORITY, "\"%s\" is no CA (RFC 5280 6.1.4 (k)); use the certificate of a CA", c->subject);
	if (c->key_usage && !c->key_cert_sign)
		return err_set(e, REASON_AUTHORITY, "\"%s\" may not sign certificates (RFC 5280 6.1.4 (n))", c->subject);
	if (c->unknown_critical[0])
		return err_set(e, REASON_AUTHORITY, "\"%s\" has a critical extension %s that is not understood (RFC 5280 4.2)",
			       c->subject, c->unknown_critical);
	return 0;
}

/* With one reference. issuer: its reference is taken over; NULL for a root. NULL on failure. */
static struct ca *ca_new(const struct cert *cert, struct ca *issuer, struct err *e)
{
	struct ca *ca = mem_new(1, sizeof *ca);

	if (may_be_ca(cert, e) < 0 || cert_parse(&ca->cert, cert->der.data, cert->der.len, e) < 0)
		goto fail;
	ca->key = spki_import(ca->cert.spki.data, ca->cert.spki.len);
	if (!ca->key) {
		err_set(e, REASON_AUTHORITY, "the public key of \"%s\" is malformed or too weak", cert->subject);
		goto fail;
	}
	ca->issuer = issuer;
	ca->refs = 1;
	return ca;
fail:
	cert_free(&ca->cert);
	free(ca);
	return NULL;
}

/* ---- finding the way up ---- */
static bool in_dates(const struct cert *c, int64_t now)
{
	return c->not_before <= now && now <= c->not_after;
}

static bool way_in_dates(const struct ca *ca, int64_t now)
{
	while (ca && in_dates(&ca->cert, now))
		ca = ca->issuer;
	return !ca;
}

static size_t take_matching(const struct search *s, struct ca **list, size_t n, const struct cert *child, bool pinned,
			    struct ca *out[CANDIDATES], size_t have)
{
	for (size_t i = 0; i < n && have < CANDIDATES; i++)
		if (list[i] && (!pinned || list[i]->pinned) && names_chain(child, &list[i]->cert) &&
		    (!s->dated || way_in_dates(list[i], s->now))) {
			list[i]->refs++;
			out[have++] = list[i];
		}
	return have;
}

/* A CA that we have already verified and that signed the child; with a reference. */
static struct ca *known_issuer(struct search *s, const struct cert *child, bool pinned)
{
	struct ca *candidate[CANDIDATES], *found = NULL;
	struct trust *t = s->trust;
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = take_matching(s, t->known, t->n_known, child, pinned, candidate, 0);
	if (!pinned)
		n = take_matching(s, t->learned, LIMIT_TRUST_LEARNED, child, false, candidate, n);
	pthread_mutex_unlock(&t->lock);
	for (size_t i = 0; i < n; i++) {
		if (!found && s->checks-- > 0 && signed_by(child, &candidate[i]->cert, candidate[i]->key))
			found = candidate[i];
		else
			ca_put(t, candidate[i]);
	}
	return found;
}

static struct ca *find_issuer(struct search *s, const struct cert *child, bool pinned, int depth);

/* Keeps a verdict, once: a stranger who repeats a public chain below a false leaf must not drive out the others.
 * Takes over a reference and returns one. */
static struct ca *keep(struct trust *t, struct ca *ca)
{
	struct ca *same = NULL;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < LIMIT_TRUST_LEARNED; i++)
		if (t->learned[i] && t->learned[i]->issuer == ca->issuer &&
		    memcmp(t->learned[i]->cert.sha256, ca->cert.sha256, SHA256_LEN) == 0)
			same = t->learned[i];
	if (same) {
		ca_release(ca);
	} else {
		ca_release(t->learned[t->next]);
		t->learned[t->next] = same = ca;
		t->next = (t->next + 1) % LIMIT_TRUST_LEARNED;
	}
	same->refs++;
	pthread_mutex_unlock(&t->lock);
	return same;
}

/* Verifies an intermediate of the peer's chain up to a root. With a reference. */
static struct ca *learn(struct search *s, const struct cert *c, int depth)
{
	struct ca *above = find_issuer(s, c, false, depth), *ca;
	struct trust *t = s->trust;
	struct err ignored;

	if (!above)
		return NULL;
	ca = ca_new(c, above, &ignored);
	if (!ca) {
		ca_put(t, above);
		return NULL;
	}
	return keep(t, ca);
}

static struct ca *find_issuer(struct search *s, const struct cert *child, bool pinned, int depth)
{
	struct ca *ca = known_issuer(s, child, pinned);

	if (ca || pinned || depth >= LIMIT_TRUST_DEPTH)
		return ca;
	for (size_t i = s->all ? 0 : 1; i < s->chain->n && s->checks > 0; i++) {
		const struct cert *c = &s->chain->cert[i];

		if (c == child || !c->ca || self_issued(c) || !names_chain(child, c) || (s->dated && !in_dates(c, s->now)))
			continue;
		ca = learn(s, c, depth + 1);
		if (!ca)
			continue;
		if (s->checks-- > 0 && signed_by(child, &ca->cert, ca->key))
			return ca;
		ca_put(s->trust, ca);
	}
	return NULL;
}

static int unknown_issuer(const struct cert *c, bool pinned, struct err *e)
{
	return err_set(e, REASON_AUTHORITY, "\"%s\" was not issued by %s: its issuer \"%s\" is unknown here or the signature is wrong",
		       c->subject, pinned ? "one of the accepted issuing CAs" : "a CA under the trusted root", c->issuer);
}

/* ---- judging the way (RFC 5280 6.1.3 and 6.1.4) ---- */
static int check_dates(const struct cert *c, int64_t now, struct err *e)
{
	char from[TEXT_TIME], to[TEXT_TIME], is[TEXT_TIME];

	if (in_dates(c, now))
		return 0;
	text_time(from, c->not_before);
	text_time(to, c->not_after);
	text_time(is, now);
	return err_set(e, REASON_CLOCK, "\"%s\" is good from %s to %s and the clock says %s; correct the clock, or renew the certificate",
		       c->subject, from, to, is);
}

int cert_holds(const struct cert *c, const char *what, const char *remedy, struct err *e)
{
	char at[TEXT_TIME];
	int64_t now = clock_utc();

	if (in_dates(c, now))
		return 0;
	text_time(at, now < c->not_before ? c->not_before : c->not_after);
	if (now < c->not_before)
		return err_set(e, REASON_CLOCK, "%s is not valid before %s: the clock of this machine was stepped back; set it right", what, at);
	return err_set(e, REASON_CLOCK, "%s has expired at %s, or the clock is wrong; %s", what, at, remedy);
}

/* A CA with an EKU extension restricts what is below it, as every TLS library reads it. */
static int check_ca_purpose(const struct cert *c, enum cert_purpose purpose, struct err *e)
{
	if (purpose == PURPOSE_ANY || c->any_eku || c->any_purpose || (purpose == PURPOSE_SERVER ? c->server_auth : c->client_auth))
		return 0;
	return err_set(e, REASON_AUTHORITY, "the CA \"%s\" is not for TLS %ss (extKeyUsage)", c->subject,
		       purpose == PURPOSE_SERVER ? "server" : "client");
}

/* What stands below a CA keeps to its name constraints, but for a CA's certificate by itself (RFC 5280 6.1.3 (b)). */
static int check_limits(const struct cert *leaf, const struct ca *first, const struct ca *above, struct err *e)
{
	const struct cert *by = &above->cert;

	if (name_limits_check(by, leaf->der.data + leaf->names.at, leaf->names.len, leaf->subject, e) < 0)
		return -1;
	for (const struct ca *ca = first; ca != above; ca = ca->issuer) {
		const struct cert *c = &ca->cert;

		if (!self_issued(c) && name_limits_check(by, c->der.data + c->names.at, c->names.len, c->subject, e) < 0)
			return -1;
	}
	return 0;
}

static int check_way(const struct cert *leaf, const struct ca *ca, const struct trust_rule *rule, struct err *e)
{
	const struct ca *first = ca;
	int below = 0;	/* intermediates that are not self-issued (RFC 5280 4.2.1.9) */

	if (!rule->ignore_expiry && check_dates(leaf, rule->now, e) < 0)
		return -1;
	for (; ca; ca = ca->issuer) {
		const struct cert *c = &ca->cert;

		if (!rule->ignore_expiry && check_dates(c, rule->now, e) < 0)
			return -1;
		if (c->path_len >= 0 && below > c->path_len)
			return err_set(e, REASON_AUTHORITY, "there are %d CAs below \"%s\", which allows %d (RFC 5280 4.2.1.9)", below,
				       c->subject, c->path_len);
		if (check_ca_purpose(c, rule->purpose, e) < 0 || check_limits(leaf, first, ca, e) < 0)
			return -1;
		if (rule->policy && ca->issuer && !cert_has_policy(c, rule->policy) && !cert_has_policy(c, OID_POLICY_ANY))
			return err_set(e, REASON_ROLE, "the CA \"%s\" may not issue certificates of policy %s (RFC 5280 6.1.3 (d))",
				       c->subject, rule->policy);
		below += !self_issued(c);
	}
	return 0;
}

static int check_leaf(const struct cert *c, const struct trust_rule *rule, struct err *e)
{
	const char *use = rule->purpose == PURPOSE_SERVER ? "server" : "client";

	if (c->unknown_critical[0])
		return err_set(e, REASON_AUTHORITY, "\"%s\" has a critical extension %s that is not understood (RFC 5280 4.2)",
			       c->subject, c->unknown_critical);
	if (rule->purpose != PURPOSE_ANY && !(rule->unrestricted && c->any_eku) &&
	    !(rule->purpose == PURPOSE_SERVER ? c->server_auth : c->client_auth))
		return err_set(e, REASON_AUTHORITY, "\"%s\" is not for TLS %ss (extKeyUsage, RFC 5280 4.2.1.12)", c->subject, use);
	if (rule->purpose != PURPOSE_ANY && c->key_usage && !c->digital_signature)
		return err_set(e, REASON_AUTHORITY, "\"%s\" may not sign a handshake (keyUsage, RFC 5280 4.2.1.3)", c->subject);
	if (rule->policy && !cert_has_policy(c, rule->policy))
		return err_set(e, REASON_ROLE, "\"%s\" is not of policy %s; a certificate of another kind was presented", c->subject,
			       rule->policy);
	if (rule->role && strcmp(c->role, rule->role) != 0)
		return err_set(e, REASON_ROLE, "\"%s\" has the role \"%s\", \"%s\" is needed", c->subject,
			       c->role[0] ? c->role : "none", rule->role);
	return 0;
}

int trust_verify(struct trust *t, const struct chain *ch, const struct trust_rule *rule, struct err *e)
{
	struct search s = { .trust = t, .chain = ch, .checks = LIMIT_TRUST_CHECKS, .dated = !rule->ignore_expiry, .now = rule->now };
	struct ca *ca;
	int rc;

	if (ch->n == 0)
		return err_set(e, REASON_AUTHORITY, "no certificate was presented");
	ca = find_issuer(&s, &ch->cert[0], rule->pinned, 1);
	if (!ca && s.dated) {	/* to tell an expired CA from an unknown one */
		s.dated = false;
		s.checks = LIMIT_TRUST_CHECKS;
		ca = find_issuer(&s, &ch->cert[0], rule->pinned, 1);
	}
	if (!ca)
		return unknown_issuer(&ch->cert[0], rule->pinned, e);
	rc = check_way(&ch->cert[0], ca, rule, e);
	if (rc == 0)
		rc = check_leaf(&ch->cert[0], rule, e);
	ca_put(t, ca);
	return rc;
}

/* ---- what is trusted ---- */
static void add_known(struct trust *t, struct ca *ca)
{
	pthread_mutex_lock(&t->lock);
	t->known = mem_grow(t->known, t->n_known + 1, sizeof(struct ca *));
	t->known[t->n_known++] = ca;
	pthread_mutex_unlock(&t->lock);
}

static bool is_known(struct trust *t, const struct cert *c)
{
	bool found = false;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->n_known; i++)
		found |= memcmp(t->known[i]->cert.sha256, c->sha256, SHA256_LEN) == 0;
	pthread_mutex_unlock(&t->lock);
	return found;
}

int trust_add_root(struct trust *t, const struct cert *root, struct err *e)
{
	struct ca *ca;

	if (is_known(t, root))
		return 0;
	ca = ca_new(root, NULL, e);
	if (!ca)
		return -1;
	if (!self_issued(&ca->cert) || !signed_by(&ca->cert, &ca->cert, ca->key)) {
		ca_release(ca);
		return err_set(e, REASON_AUTHORITY, "\"%s\" is no root: it is not signed by itself", root->subject);
	}
	add_known(t, ca);
	return 0;
}

int trust_add_issuer(struct trust *t, const struct cert *issuer, struct err *e)
{
	return trust_add_issuer_via(t, issuer, &(struct chain){0}, e);
}

int trust_add_issuer_via(struct trust *t, const struct cert *issuer, const struct chain *via, struct err *e)
{
	struct search s = { .trust = t, .chain = via, .checks = LIMIT_TRUST_CHECKS, .all = true };
	struct ca *above, *ca;

	if (is_known(t, issuer))
		return 0;
	above = find_issuer(&s, issuer, false, 1);
	if (!above)
		return unknown_issuer(issuer, false, e);
	ca = ca_new(issuer, above, e);
	if (!ca) {
		ca_put(t, above);
		return -1;
	}
	ca->pinned = true;
	add_known(t, ca);
	return 0;
}
