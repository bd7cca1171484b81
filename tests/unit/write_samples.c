/* Writes each message and document into the folder given: what test_schema.sh validates and fuzz/corpus began with. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "oid.h"
#include "samples.h"

static const char *folder;

static void put(const char *name, const void *data, size_t len)
{
	char path[FILE_PATH];
	struct err e;

	if (file_join(path, &e, folder, name) || file_replace(path, data, len, 0644, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(99);
	}
}

/* The content of the SignedData as its reader gets it. */
static void put_content(const char *name, const struct samples *s, const struct buf *cms)
{
	const struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .policy = OID_POLICY_UNIT, .ignore_expiry = true };
	struct buf xml = {0};
	struct err e;

	if (cms_open(cms->data, cms->len, s->trust, &rule, &xml, NULL, &e)) {
		fprintf(stderr, "%s: %s\n", name, e.text);
		exit(99);
	}
	put(name, xml.data, xml.len);
	buf_free(&xml);
}

static void put_messages(const struct samples *s)
{
	struct ca_message *m = sample_message(), *least = sample_message_least();
	struct ca_reply *r = sample_reply(s);
	struct buf xml = {0};

	ca_message_write(m, &xml);
	put("request.xml", xml.data, xml.len);
	buf_clear(&xml);
	ca_message_write(least, &xml);
	put("request-least.xml", xml.data, xml.len);
	buf_clear(&xml);
	ca_reply_write(r, &xml);
	put("reply.xml", xml.data, xml.len);
	buf_free(&xml);
	ca_message_free(m);
	ca_message_free(least);
	ca_reply_free(r);
}

static int put_der(const struct samples *s, const struct buf *signed_ticket, struct err *e)
{
	const struct cert *leaf = &s->node.chain.cert[0];
	const struct device_id device = { "Acme Devices", "gateway-b", "GB-000100" };
	const struct request_id request = { "00112233445566778899aabbccddeeff", 1 };
	struct buf der = {0}, pem = {0};
	int rc = -1;

	put("certificate.der", leaf->der.data, leaf->der.len);
	put("signed-data.der", signed_ticket->data, signed_ticket->len);
	if (csr_build(s->node.key, &device, &request, &der, e))
		goto out;
	put("csr.der", der.data, der.len);
	csr_to_pem(&der, &pem);
	cert_to_pem(leaf, &pem);
	put("csr-and-certificate.pem", pem.data, pem.len);
	if (cms_certs_write(&s->node.chain, &der, e))
		goto out;
	put("certs-only.der", der.data, der.len);
	rc = 0;
out:
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

static int write_all(const struct samples *s, struct err *e)
{
	static struct work_order o;
	struct buf cms = {0};
	struct ticket t;
	struct handoff h;
	struct manifest m;
	struct voucher v;
	struct release r;
	struct action action;
	struct approval approval;
	int rc = -1;

	sample_voucher(&v);
	sample_order(&o);
	sample_ticket(&t);
	sample_handoff(&h, s);
	sample_manifest(&m, 3);
	if (work_order_write(&o, s->operator.key, &s->operator.chain, &cms, e))
		goto out;
	put_content("work-order.xml", s, &cms);
	if (ticket_write(&t, s->station.key, &s->station.chain, &cms, e))
		goto out;
	put_content("ticket.xml", s, &cms);
	if (put_der(s, &cms, e))
		goto out;
	sample_release(&r);
	if (release_write(&r, s->node.key, &s->node.chain, &cms, e))
		goto out;
	put_content("release.xml", s, &cms);
	if (handoff_write(&h, s->operator.key, &s->operator.chain, &cms, e))
		goto out;
	put_content("handoff.xml", s, &cms);
	if (manifest_write(&m, s->operator.key, &s->operator.chain, &cms, e))
		goto out;
	put_content("manifest.xml", s, &cms);
	sample_action(&action);
	if (action_write(&action, s->operator.key, &s->operator.chain, &cms, e))
		goto out;
	put_content("action.xml", s, &cms);
	sample_approval(&approval);
	if (approval_write(&approval, s->operator.key, &s->operator.chain, &cms, e))
		goto out;
	put_content("approval.xml", s, &cms);
	if (voucher_write(&v, s->operator.key, &s->operator.chain, &cms, e))
		goto out;
	put_content("voucher.xml", s, &cms);
	rc = 0;
out:
	handoff_free(&h);
	manifest_free(&m);
	buf_free(&cms);
	return rc;
}

int main(int argc, char **argv)
{
	struct samples s;
	struct err e;
	int rc;

	if (argc != 2)
		return 2;
	folder = argv[1];
	samples_make(&s);
	put_messages(&s);
	rc = write_all(&s, &e);
	if (rc)
		fprintf(stderr, "%s\n", e.text);
	samples_free(&s);
	return rc ? 1 : 0;
}
