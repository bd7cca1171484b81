/* Lists and answers about revocation. */
#include <config.h>

#include "signer_client.h"

#include <string.h>

/* ---- revocation lists ---- */
static void revoked_item_pack(struct buf *b, const struct revoked_item *v)
{
	pack_str(b, v->serial);
	pack_u8(b, v->reason);
	pack_u64(b, (uint64_t)v->date);
	pack_u64(b, (uint64_t)v->expires);
}

static int tell_revoked(struct signer *s, const char *ca, enum crl_of of, const struct revoked_item *items, size_t n, struct err *e)
{
	struct buf question = {0}, answer = {0};
	int rc;

	pack_str(&question, ca);
	pack_u8(&question, (uint8_t)of);
	pack_u32(&question, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		revoked_item_pack(&question, &items[i]);
	rc = signer_call(s, SIGNER_REVOKED, &question, &answer, e);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

int signer_revoked(struct signer *s, const char *ca, enum crl_of of, const struct revoked_item *items, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i += SIGNER_REVOKED_MAX)
		if (tell_revoked(s, ca, of, items + i, n - i < SIGNER_REVOKED_MAX ? n - i : SIGNER_REVOKED_MAX, e) < 0)
			return -1;
	return 0;
}

int signer_crl(struct signer *s, const char *ca, enum crl_of of, uint64_t valid_s, struct buf *der, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	int rc;

	pack_str(&question, ca);
	pack_u8(&question, (uint8_t)of);
	pack_u32(&question, (uint32_t)valid_s);
	rc = signer_call(s, SIGNER_CRL, &question, &answer, e);
	if (rc == 0) {
		unpack_init(&u, answer.data, answer.len);
		unpack_bytes(&u, der);
		if (!unpack_done(&u))
			rc = signer_gone(s, e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}

/* ---- answers about one certificate ---- */
int signer_ocsp(struct signer *s, const char *ca, const struct ocsp_question *q, struct ocsp_answer *a, struct err *e)
{
	struct buf question = {0}, answer = {0};
	struct unpack u;
	int rc;

	pack_str(&question, ca);
	pack_u8(&question, (uint8_t)q->of);
	pack_u8(&question, (uint8_t)q->hash);
	pack_u32(&question, (uint32_t)q->valid_s);
	pack_str(&question, q->serial);
	pack_bytes(&question, q->cert->data, q->cert->len);
	pack_u8(&question, q->revoked != NULL);
	if (q->revoked)
		revoked_item_pack(&question, q->revoked);
	rc = signer_call(s, SIGNER_OCSP, &question, &answer, e);
	unpack_init(&u, answer.data, answer.len);
	if (rc == 0) {
		a->status = (enum ocsp_status)unpack_u8(&u);
		a->this_update = (int64_t)unpack_u64(&u);
		a->next_update = (int64_t)unpack_u64(&u);
		unpack_bytes(&u, &a->der);
		rc = unpack_done(&u) && a->status <= OCSP_UNKNOWN ? 0 : signer_gone(s, e);
	}
	buf_free(&question);
	buf_free(&answer);
	return rc;
}
