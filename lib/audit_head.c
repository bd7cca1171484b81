#include <config.h>

#include "audit_head.h"

#include <string.h>

#include "fields.h"
#include "mem.h"

/* No certificate, list or answer of a CA begins like this: they are SEQUENCEs. */
static const char purpose[] = "handsel-audit-head-v1";

static void signed_bytes(struct buf *b, const struct audit_head *h)
{
	buf_add(b, purpose, sizeof purpose);
	pack_u64(b, h->history);
	pack_u64(b, (uint64_t)h->at.n);
	buf_add(b, h->at.hash, SHA256_LEN);
	pack_u64(b, (uint64_t)h->time);
}

int audit_head_sign(struct audit_head *h, const struct key *key, struct err *e)
{
	struct buf b = {0}, signature = {0};
	int rc;

	signed_bytes(&b, h);
	rc = key_sign(key, b.data, b.len, &signature, e);
	if (rc == 0 && signature.len > sizeof h->signature)
		rc = err_set(e, REASON_INTERNAL, "the signature of an audit head is too long");
	if (rc == 0) {
		memcpy(h->signature, signature.data, signature.len);
		h->len = signature.len;
	}
	buf_free(&signature);
	buf_free(&b);
	return rc;
}

int audit_head_verify(const struct audit_head *h, const struct cert *cas, size_t n, struct err *e)
{
	struct buf b = {0}, signature = {0};
	struct err why;
	int rc = -1;

	signed_bytes(&b, h);
	buf_add(&signature, h->signature, h->len);
	for (size_t i = 0; i < n && rc < 0; i++)
		rc = spki_verify(&cas[i].spki, b.data, b.len, &signature, &why);
	buf_free(&signature);
	buf_free(&b);
	return rc == 0 ? 0 : err_set(e, REASON_AUDIT, "the head of audit row %lld was not signed by this CA", (long long)h->at.n);
}

/* ---- in XML ---- */
int audit_head_read(const struct xml_node *n, struct audit_head *h, struct err *e)
{
	char history[FIELD_NUMBER], row[FIELD_NUMBER], hash[SHA256_HEX], time[TEXT_TIME];
	const struct xml_attr attrs[] = {
		{ "history", history, sizeof history, true },
		{ "row", row, sizeof row, true },
		{ "hash", hash, sizeof hash, true },
		{ "time", time, sizeof time, true },
	};
	const struct xml_node *child;
	const struct xml_child children[] = { { "signature", &child, true } };
	struct buf signature = {0};
	uint64_t number;
	int rc = -1;

	*h = (struct audit_head){0};
	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) < 0 || xml_children(n, children, 1, e) < 0 || field_uint(n, "history", history, 1, INT64_MAX, &h->history, e) < 0 ||
	    field_uint(n, "row", row, 1, INT64_MAX, &number, e) < 0 || field_sha256(n, "hash", hash, h->at.hash, e) < 0 ||
	    field_time(n, "time", time, &h->time, e) < 0)
		return -1;
	h->at.n = (int64_t)number;
	if (field_base64(child, &signature, sizeof h->signature, e) == 0) {
		memcpy(h->signature, signature.data, signature.len);
		h->len = signature.len;
		rc = 0;
	}
	buf_free(&signature);
	return rc;
}

void audit_head_write(struct xml_out *w, const struct audit_head *h)
{
	char history[FIELD_NUMBER], row[FIELD_NUMBER], hash[SHA256_HEX], time[TEXT_TIME];

	if (!h->at.n)
		return;
	text_hex(hash, h->at.hash, SHA256_LEN);
	text_time(time, h->time);
	xml_open(w, "audit", "history", field_number(history, h->history), "row", field_number(row, (uint64_t)h->at.n), "hash", hash,
		 "time", time, NULL);
	xml_leaf_base64(w, "signature", h->signature, h->len);
	xml_close(w, "audit");
}
