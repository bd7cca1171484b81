#include <config.h>

#include <string.h>

#include "devmsg.h"
#include "pack.h"

static int bad(struct err *e, const char *clause, const char *message, const char *what)
{
	return err_set(e, REASON_REQUEST, "device link: clause %s: message %s: %s", clause, message, what);
}

static const char bad_length[] = "a field is missing or too long, or the message too short or too long";

/* The messages of one byte string that must not be empty. */
static int read_one(struct buf *out, const struct buf *payload, const char *clause, const char *message, struct err *e)
{
	struct unpack u;

	unpack_init(&u, payload->data, payload->len);
	unpack_bytes(&u, out);
	if (unpack_done(&u) && out->len)
		return 0;
	buf_free(out);
	return bad(e, clause, message, bad_length);
}

static void write_one(const void *data, size_t len, struct buf *payload)
{
	buf_clear(payload);
	pack_bytes(payload, data, len);
}

static int read_hash(uint8_t out[SHA256_LEN], const struct buf *payload, const char *clause, const char *message, struct err *e)
{
	struct unpack u;

	unpack_init(&u, payload->data, payload->len);
	unpack_fixed(&u, out, SHA256_LEN);
	return unpack_done(&u) ? 0 : bad(e, clause, message, bad_length);
}

/* ---- the request ---- */
void link_request_write(const struct link_request *m, struct buf *payload)
{
	write_one(m->root.data, m->root.len, payload);
}

int link_request_read(struct link_request *m, const struct buf *payload, struct err *e)
{
	memset(m, 0, sizeof *m);
	return read_one(&m->root, payload, "L3.10", "request", e);
}

void link_request_free(struct link_request *m)
{
	buf_free(&m->root);
}

void link_csr_write(const struct link_csr *m, struct buf *payload)
{
	write_one(m->der.data, m->der.len, payload);
}

int link_csr_read(struct link_csr *m, const struct buf *payload, struct err *e)
{
	memset(m, 0, sizeof *m);
	return read_one(&m->der, payload, "L3.11", "csr", e);
}

void link_csr_free(struct link_csr *m)
{
	buf_free(&m->der);
}

/* ---- the certificate ---- */
void link_certificate_write(const struct link_certificate *m, struct buf *payload)
{
	buf_clear(payload);
	pack_u8(payload, (uint8_t)m->n);
	for (size_t i = 0; i < m->n; i++)
		pack_bytes(payload, m->certificate[i].data, m->certificate[i].len);
	pack_bytes(payload, m->encrypted_key.data, m->encrypted_key.len);
}

int link_certificate_read(struct link_certificate *m, const struct buf *payload, struct err *e)
{
	bool empty = false;
	struct unpack u;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	m->n = unpack_u8(&u);
	if (u.failed || m->n < 1 || m->n > LIMIT_CHAIN) {
		m->n = 0;
		return bad(e, "L3.12", "certificate", "the number of certificates is not possible");
	}
	for (size_t i = 0; i < m->n; i++) {
		unpack_bytes(&u, &m->certificate[i]);
		empty |= !m->certificate[i].len;
	}
	unpack_bytes(&u, &m->encrypted_key);
	if (unpack_done(&u) && !empty)
		return 0;
	link_certificate_free(m);
	return bad(e, "L3.12", "certificate", bad_length);
}

void link_certificate_free(struct link_certificate *m)
{
	for (size_t i = 0; i < m->n; i++)
		buf_free(&m->certificate[i]);
	buf_free(&m->encrypted_key);
	m->n = 0;
}

void link_stored_write(const struct link_stored *m, struct buf *payload)
{
	write_one(m->certificate, SHA256_LEN, payload);
}

int link_stored_read(struct link_stored *m, const struct buf *payload, struct err *e)
{
	return read_hash(m->certificate, payload, "L3.13", "stored", e);
}

/* ---- the confirm ---- */
void link_confirm_write(const struct link_confirm *m, struct buf *payload)
{
	write_one(m->exporter, sizeof m->exporter, payload);
}

int link_confirm_read(struct link_confirm *m, const struct buf *payload, struct err *e)
{
	return read_hash(m->exporter, payload, "L3.14", "confirm", e);
}

void link_signed_write(const struct link_signed *m, struct buf *payload)
{
	write_one(m->signature.data, m->signature.len, payload);
}

int link_signed_read(struct link_signed *m, const struct buf *payload, struct err *e)
{
	memset(m, 0, sizeof *m);
	return read_one(&m->signature, payload, "L3.15", "signed", e);
}

void link_signed_free(struct link_signed *m)
{
	buf_free(&m->signature);
}

void link_verdict_write(const struct link_verdict *m, struct buf *payload)
{
	buf_clear(payload);
	pack_u8(payload, (uint8_t)m->standing);
	pack_u32(payload, m->generation);
}

int link_verdict_read(struct link_verdict *m, const struct buf *payload, struct err *e)
{
	struct unpack u;
	uint8_t standing;

	memset(m, 0, sizeof *m);
	unpack_init(&u, payload->data, payload->len);
	standing = unpack_u8(&u);
	m->generation = unpack_u32(&u);
	if (!unpack_done(&u))
		return bad(e, "L3.16", "verdict", bad_length);
	if (standing > STANDING_DEAD || (standing == STANDING_ACTIVE && m->generation))
		return bad(e, "L3.16", "verdict", "it is neither \"active\" nor \"dead\" with a generation");
	m->standing = standing;
	return 0;
}
