#include <config.h>

#include "outside.h"

#include <string.h>

#include "clock.h"
#include "confirm.h"
#include "fault.h"

static bool is_pending(const struct store *s, struct err *e)
{
	if (store_pending(s) == SLOT_FACTORY)
		return true;
	err_set(e, REASON_TICKET, "no request is prepared; start the unit again");
	return false;
}

static int load_pending(const struct store *s, struct credential *c, struct err *e)
{
	return is_pending(s, e) ? store_load(s, SLOT_FACTORY, c, e) : -1;
}

static void put_stored(const struct credential *c, struct buf *out)
{
	struct link_stored m;
	struct buf payload = {0};

	memcpy(m.certificate, c->chain.cert[0].sha256, SHA256_LEN);
	link_stored_write(&m, &payload);
	link_put(out, LINK_STORED, 0, payload.data, payload.len);
	buf_free(&payload);
	FAULT("link.stored");
}

static int put_csr(const struct store *s, const struct credential *c, struct buf *out, struct err *e)
{
	struct link_csr m = {0};
	struct buf payload = {0};
	int rc = c->transport ? key_spki(c->transport, &m.der, e)
			      : csr_build(c->key, &store_identity(s)->device, &c->request, &m.der, e);

	if (rc == 0) {
		link_csr_write(&m, &payload);
		link_put(out, LINK_CSR, 0, payload.data, payload.len);
		FAULT("link.csr");
	}
	link_csr_free(&m);
	buf_free(&payload);
	return rc;
}

static int pin(struct store *s, const struct buf *root, struct err *e)
{
	struct cert c = {0};
	int rc = cert_parse(&c, root->data, root->len, e) == 0 ? store_pin_root(s, &c, e) : -1;

	cert_free(&c);
	return rc;
}

int outside_request(struct store *s, const struct buf *payload, struct buf *out, struct err *e)
{
	struct credential c = { .slot = SLOT_NONE };
	struct link_request m;
	int rc = -1;

	if (link_request_read(&m, payload, e) < 0)
		return -1;
	/* nothing is pinned for nothing; and the root of c is the one that was pinned */
	if (is_pending(s, e) && pin(s, &m.root, e) == 0 && store_load(s, SLOT_FACTORY, &c, e) == 0) {
		rc = c.chain.n ? 0 : put_csr(s, &c, out, e);
		if (c.chain.n)
			put_stored(&c, out);
	}
	credential_free(&c);
	link_request_free(&m);
	return rc;
}

static int take(struct store *s, struct credential *c, const struct link_certificate *m, struct err *e)
{
	struct chain answer = {0};
	int rc = 0;

	for (size_t i = 0; i < m->n && rc == 0; i++)
		rc = chain_add(&answer, m->certificate[i].data, m->certificate[i].len, e);
	if (rc == 0)
		rc = credential_take(c, &answer, &m->encrypted_key, &store_identity(s)->device, clock_utc(), e);
	chain_free(&answer);
	if (rc < 0)
		return -1;
	FAULT("link.verified");
	return store_put(s, c, e);
}

int outside_certificate(struct store *s, const struct buf *payload, struct buf *out, struct err *e)
{
	struct credential c = { .slot = SLOT_NONE };
	struct link_certificate m;
	int rc = -1;

	if (link_certificate_read(&m, payload, e) < 0)
		return -1;
	FAULT("link.certificate");
	if (load_pending(s, &c, e) == 0 && (c.chain.n || take(s, &c, &m, e) == 0)) {
		put_stored(&c, out);
		rc = 0;
	}
	credential_free(&c);
	link_certificate_free(&m);
	return rc;
}

static int load_stored(const struct store *s, struct credential *c, struct err *e)
{
	if (load_pending(s, c, e) < 0)
		return -1;
	return c->chain.n ? 0 : err_set(e, REASON_REQUEST, "the device has stored no certificate that could be confirmed");
}

int outside_confirm(struct store *s, const struct buf *payload, struct buf *out, struct err *e)
{
	struct credential c = { .slot = SLOT_NONE };
	struct link_signed answer = {0};
	struct link_confirm m;
	struct buf signed_payload = {0};
	int rc = -1;

	if (link_confirm_read(&m, payload, e) == 0 && load_stored(s, &c, e) == 0 &&
	    confirm_sign(c.key, m.exporter, &c.request, c.chain.cert[0].sha256, &answer.signature, e) == 0) {
		link_signed_write(&answer, &signed_payload);
		link_put(out, LINK_SIGNED, 0, signed_payload.data, signed_payload.len);
		FAULT("link.signed");
		rc = 0;
	}
	credential_free(&c);
	link_signed_free(&answer);
	buf_free(&signed_payload);
	return rc;
}

static int drop(struct store *s, uint32_t generation, struct err *e)
{
	if (!is_pending(s, e) || store_drop_dead(s, SLOT_FACTORY, generation, e) < 0)
		return -1;
	return err_set(e, REASON_TICKET, "the CA knows a newer request of this device, so this one is dead; start the unit again");
}

int outside_verdict(struct store *s, const struct buf *payload, struct err *e)
{
	struct credential c = { .slot = SLOT_NONE };
	struct link_verdict m;
	int rc;

	if (link_verdict_read(&m, payload, e) < 0)
		return -1;
	FAULT("link.verdict");
	if (m.standing == STANDING_DEAD)
		return drop(s, m.generation, e);
	rc = load_stored(s, &c, e) == 0 ? store_switch(s, SLOT_FACTORY, e) : -1;
	credential_free(&c);
	return rc;
}
