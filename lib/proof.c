#include <config.h>

#include "proof.h"

#include <string.h>

#include "key.h"
#include "mem.h"
#include "oid.h"

static int fits(const struct cert *c, const struct link_hello *hello, const struct link_ready *ready,
		const struct link_result *result, struct err *e)
{
	if (!mem_same(c->sha256, result->certificate, SHA256_LEN))
		return err_set(e, REASON_AGENT, "the device shows another certificate than the one that it reported");
	/* in mode ca only the CA has seen the key; the ticket names the transport key, which is another */
	if (!mem_same(c->spki_sha256, ready->key_sha256, SHA256_LEN) == (ready->mode == MODE_DEVICE))
		return err_set(e, REASON_AGENT, "the certificate is for another key than the ticket");
	if (!device_same(&c->device, &hello->device))
		return err_set(e, REASON_AGENT, "the certificate is for %s %s, not for this device", c->device.model,
			       c->device.serial);
	return 0;
}

int proof_verify(const struct link_proof *p, const struct link_challenge *c, const struct link_hello *hello,
		 const struct link_ready *ready, const struct link_result *result, struct trust *t, int64_t now,
		 struct err *e)
{
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .unrestricted = true, .policy = OID_POLICY_FACTORY, .now = now };
	struct chain chain = {0};
	struct buf text = {0};
	int rc = -1;

	if (chain_add(&chain, p->certificate.data, p->certificate.len, e) < 0 ||
	    chain_add(&chain, p->issuer.data, p->issuer.len, e) < 0)
		goto out;
	link_challenge_text(&text, c->station, c->nonce, p->nonce);
	if (spki_verify(&chain.cert[0].spki, text.data, text.len, &p->signature, e) < 0) {
		err_set(e, REASON_AGENT,
			"the device does not hold the key of its certificate: its answer to the challenge is wrong");
		goto out;
	}
	if (trust_verify(t, &chain, &rule, e) < 0)
		err_prefix(e, "the device's new certificate");
	else
		rc = fits(&chain.cert[0], hello, ready, result, e);
out:
	buf_free(&text);
	chain_free(&chain);
	return rc;
}
