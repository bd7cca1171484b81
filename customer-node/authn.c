#include <config.h>

#include "authn.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "oid.h"

struct authn {
	const struct maker_set *makers;
	struct trust *factory[LIMIT_MAKERS];	/* one each: a factory speaks for no other */
	struct trust *customer;
	struct cert root;			/* the customer's */
	pthread_rwlock_t lock;			/* of customer */
};

static bool is_root(const struct cert *c)
{
	return strcmp(c->subject, c->issuer) == 0;
}

/* Pins the CAs that may issue under this policy; unit CAs may not. Returns how many, -1. */
static int pin_issuers(struct trust *t, const struct chain *cas, const char *policy, struct err *e)
{
	int n = 0;

	for (size_t i = 0; i < cas->n; i++) {
		if (is_root(&cas->cert[i]) || !cert_has_policy(&cas->cert[i], policy))
			continue;
		if (trust_add_issuer_via(t, &cas->cert[i], cas, e) < 0)
			return -1;
		n++;
	}
	return n;
}

static struct trust *pinned_trust(const struct cert *root, const struct chain *cas, const char *policy, const char *whose,
				  struct err *e)
{
	struct trust *t = trust_new();
	int n = trust_add_root(t, root, e) < 0 ? -1 : pin_issuers(t, cas, policy, e);

	if (n > 0)
		return t;
	if (n == 0)
		err_set(e, REASON_AUTHORITY, "%s has no CA certificate that may issue to devices (policy %s)", whose, policy);
	trust_free(t);
	return NULL;
}

static struct trust *factory_trust(const struct chain *factory, struct err *e)
{
	return pinned_trust(&factory->cert[factory->n - 1], factory, OID_POLICY_FACTORY, "the handoff", e);
}

int authn_check_factory(const struct chain *factory, struct err *e)
{
	struct trust *t = factory_trust(factory, e);

	trust_free(t);
	return t ? 0 : -1;
}

struct authn *authn_new(const struct maker_set *makers, const struct cert *root, struct err *e)
{
	struct authn *a = mem_new(1, sizeof *a);
	int rc = cert_parse(&a->root, root->der.data, root->der.len, e);

	pthread_rwlock_init(&a->lock, NULL);
	a->makers = makers;
	for (size_t i = 0; i < makers->n && rc == 0; i++)
		rc = (a->factory[i] = factory_trust(&makers->one[i].factory, e)) ? 0 : -1;
	if (rc == 0)
		return a;
	authn_free(a);
	return NULL;
}

void authn_free(struct authn *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < LIMIT_MAKERS; i++)
		trust_free(a->factory[i]);
	trust_free(a->customer);
	cert_free(&a->root);
	pthread_rwlock_destroy(&a->lock);
	free(a);
}

int authn_set_customer(struct authn *a, const struct chain *cas, struct err *e)
{
	struct trust *t = pinned_trust(&a->root, cas, OID_POLICY_CUSTOMER, "the customer's CA", e), *old;

	if (!t)
		return -1;
	pthread_rwlock_wrlock(&a->lock);
	old = a->customer;
	a->customer = t;
	pthread_rwlock_unlock(&a->lock);
	trust_free(old);
	return 0;
}

/* The certificate says who it is in two places; a CA that lets them differ is not to be believed. */
static int judge_names(const struct cert *leaf, struct err *e)
{
	if (!device_valid(&leaf->device))
		return err_set(e, REASON_AUTHORITY,
			       "the certificate (%s) names no device: manufacturer, model and serial number are needed "
			       "in its subject",
			       leaf->subject);
	if (leaf->hw_serial[0] && strcmp(leaf->hw_serial, leaf->device.serial) != 0)
		return err_set(e, REASON_AUTHORITY, "the certificate (%s) names two serials, %s and %s", leaf->subject,
			       leaf->device.serial, leaf->hw_serial);
	return 0;
}

static int judge_customer(struct authn *a, const struct chain *chain, int64_t now, struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .unrestricted = true, .pinned = true, .now = now, .policy = OID_POLICY_CUSTOMER };
	int rc;

	pthread_rwlock_rdlock(&a->lock);
	if (a->customer)
		rc = trust_verify(a->customer, chain, &rule, e);
	else
		rc = err_set(e, REASON_CA_UNAVAILABLE,
			     "the customer's CA could not be reached since this node was set up, so its "
			     "certificates cannot be judged yet");
	pthread_rwlock_unlock(&a->lock);
	return rc;
}

/* Of several factories the one that knows the issuer speaks; and it speaks for devices of its own name alone. */
static int judge_factory(struct authn *a, const struct chain *chain, int64_t now, struct peer *out)
{
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .unrestricted = true, .pinned = true, .now = now, .policy = OID_POLICY_FACTORY };
	const char *name = chain->cert->device.manufacturer;
	struct err why;

	for (size_t i = 0; i < a->makers->n; i++) {
		if (trust_verify(a->factory[i], chain, &rule, &why) == 0) {
			out->maker = &a->makers->one[i];
			if (strcmp(name, out->maker->name) == 0)
				return 0;
			return err_set(&out->why, REASON_AUTHORITY, "a factory of \"%s\" has certified a device of \"%s\"",
				       out->maker->name, name);
		}
		if (i == 0 || why.code != REASON_AUTHORITY)
			out->why = why;
	}
	return -1;
}

static void fill(struct peer *out, const struct cert *leaf)
{
	out->id.device = leaf->device;
	memcpy(out->id.certificate, leaf->sha256, SHA256_LEN);
}

/* A device that slept through the overlap of a rollover has a credential of a CA that is over. */
static bool is_claim(const struct peer *p, const struct cert *leaf, int64_t now)
{
	struct err no;

	return p->id.customer && p->why.code == REASON_AUTHORITY && now >= leaf->not_before && now <= leaf->not_after &&
	       judge_names(leaf, &no) == 0;
}

void authn_judge(struct authn *a, const struct chain *chain, int64_t now, struct peer *out)
{
	const struct cert *leaf = chain->cert;

	memset(out, 0, sizeof *out);
	if (chain->n == 0) {
		out->anonymous = true;
		err_set(&out->why, REASON_ROLE, "a client certificate is needed: the device's factory or customer credential");
		return;
	}
	out->id.customer = cert_has_policy(leaf, OID_POLICY_CUSTOMER);
	if ((out->id.customer ? judge_customer(a, chain, now, &out->why) : judge_factory(a, chain, now, out)) < 0 ||
	    judge_names(leaf, &out->why) < 0) {
		out->claimed = is_claim(out, leaf, now);
		if (out->claimed)
			fill(out, leaf);
		return;
	}
	out->why.code = REASON_OK;
	fill(out, leaf);
	if (!out->id.customer)
		buf_set(&out->factory_certificate, leaf->der.data, leaf->der.len);
}
