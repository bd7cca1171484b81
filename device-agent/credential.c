#include <config.h>

#include "credential.h"

#include <string.h>

#include "confirm.h"
#include "envelope.h"
#include "mem.h"
#include "oid.h"

void credential_free(struct credential *c)
{
	key_free(c->key);
	key_free(c->transport);
	chain_free(&c->chain);
	chain_free(&c->root);
	*c = (struct credential){ .slot = SLOT_NONE };
}

/* The names: a certificate for another device is no use, even if it is for our key. A customer's CA may have no model file of this
 * manufacturer, and then knows no hwType. */
static int check_names(const struct cert *leaf, const struct device_id *device, bool customer, struct err *e)
{
	if (!device_same(&leaf->device, device))
		return err_set(e, REASON_REQUEST, "the certificate names %s %s %s, this device is %s %s %s",
			       leaf->device.manufacturer, leaf->device.model, leaf->device.serial, device->manufacturer,
			       device->model, device->serial);
	if (!(customer && !leaf->hw_serial[0]) && strcmp(leaf->hw_serial, device->serial) != 0)
		return err_set(e, REASON_REQUEST, "hardwareModuleName of the certificate has the serial \"%s\" instead of %s",
			       leaf->hw_serial, device->serial);
	return 0;
}

int credential_verify(const struct credential *c, const struct device_id *device, const char *policy, int64_t now,
		      struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .unrestricted = true, .policy = policy, .now = now };
	struct trust *trust = trust_new();
	struct buf spki = {0};
	int rc = -1;

	if (c->chain.n == 0 || c->root.n != 1)
		err_set(e, REASON_AUTHORITY, "the answer has no certificate or no root");
	else if (trust_add_root(trust, &c->root.cert[0], e) == 0 && trust_verify(trust, &c->chain, &rule, e) == 0 &&
		 key_spki(c->key, &spki, e) == 0) {
		if (!buf_same(&spki, &c->chain.cert[0].spki))
			err_set(e, REASON_REQUEST, "the certificate is for another key");
		else
			rc = check_names(&c->chain.cert[0], device, strcmp(policy, OID_POLICY_CUSTOMER) == 0, e);
	}
	trust_free(trust);
	buf_free(&spki);
	return rc;
}

int credential_open_key(struct credential *c, const struct buf *encrypted_key, struct err *e)
{
	struct buf pkcs8 = {0};

	key_free(c->key);
	c->key = NULL;
	if (envelope_open(encrypted_key->data, encrypted_key->len, c->transport, &pkcs8, e) == 0)
		c->key = key_import(&pkcs8, e);
	buf_free(&pkcs8);
	return c->key ? 0 : -1;
}

/* The chain as we keep it: without the root, which is pinned. */
static int take_chain(struct credential *c, const struct chain *answer, struct err *e)
{
	for (size_t i = 0; i < answer->n; i++) {
		const struct buf *der = &answer->cert[i].der;

		if (c->root.n == 1 && buf_same(der, &c->root.cert[0].der))
			continue;
		if (chain_add(&c->chain, der->data, der->len, e) < 0)
			return -1;
	}
	if (c->chain.n < 2)
		return err_set(e, REASON_REQUEST, "the CA's answer has no issuing certificate");
	return 0;
}

/* Mode ca: the key comes along. Whether it fits the certificate is for credential_verify(). */
static int take_key(struct credential *c, const struct buf *encrypted_key, struct err *e)
{
	if (!c->transport)
		return encrypted_key->len ? err_set(e, REASON_REQUEST, "it has a private key that nobody asked for") : 0;
	if (!encrypted_key->len)
		return err_set(e, REASON_REQUEST, "it has no private key");
	return credential_open_key(c, encrypted_key, e);
}

int credential_take(struct credential *c, const struct chain *answer, const struct buf *encrypted_key,
		    const struct device_id *device, int64_t now, struct err *e)
{
	if (take_key(c, encrypted_key, e) == 0 && take_chain(c, answer, e) == 0 &&
	    credential_verify(c, device, OID_POLICY_FACTORY, now, e) == 0)
		return 0;
	chain_free(&c->chain);
	return err_prefix(e, "the CA's answer is not usable");
}

struct ca_message *credential_confirm(const struct credential *c, struct tls *t, struct err *e)
{
	struct ca_message *m = ca_message_new(1);
	struct ca_request *r = &m->request[0];
	uint8_t exporter[TLS_EXPORTER_LEN];

	r->kind = CA_CONFIRM;
	r->request = c->request;
	memcpy(r->certificate, c->chain.cert[0].sha256, SHA256_LEN);
	if (tls_exporter(t, exporter, e) < 0 ||
	    confirm_sign(c->key, exporter, &c->request, r->certificate, &r->signature, e) < 0) {
		ca_message_free(m);
		return NULL;
	}
	return m;
}

enum confirm_result credential_confirmed(const struct credential *c, const struct ca_reply *r, uint32_t *generation,
					 struct err *e)
{
	const struct ca_answer *a = &r->answer[0];

	if (r->n != 1) {
		err_set(e, REASON_REQUEST, "%zu answers to one confirm", r->n);
		return CONFIRM_FAILED;
	}
	switch (a->result) {
	case CA_CONFIRMED:
		if (strcmp(a->request.id, c->request.id) == 0)
			return CONFIRM_ACTIVE;
		err_set(e, REASON_REQUEST, "the answer confirms another request");
		return CONFIRM_FAILED;
	case CA_DEAD:
		*generation = a->request.generation;
		return CONFIRM_DEAD;
	case CA_REFUSED:
		err_set(e, a->code, "%s", a->text);
		return CONFIRM_REFUSED;
	default:
		err_set(e, REASON_REQUEST, "the answer to a confirm is of another kind");
		return CONFIRM_FAILED;
	}
}
