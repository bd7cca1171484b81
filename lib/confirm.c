#include <config.h>

#include "confirm.h"

#include <string.h>

#include "pack.h"

static void confirm_text(struct buf *out, const uint8_t exporter[TLS_EXPORTER_LEN], const struct request_id *request,
			 const uint8_t certificate[SHA256_LEN])
{
	static const char label[] = "handsel-confirm-v1";

	buf_add(out, label, sizeof label);	/* with its NUL */
	buf_add(out, exporter, TLS_EXPORTER_LEN);
	buf_add(out, request->id, REQUEST_ID_LEN);
	pack_u32(out, request->generation);
	buf_add(out, certificate, SHA256_LEN);
}

int confirm_sign(const struct key *key, const uint8_t exporter[TLS_EXPORTER_LEN], const struct request_id *request,
		 const uint8_t certificate[SHA256_LEN], struct buf *signature, struct err *e)
{
	struct buf text = {0};
	int rc;

	confirm_text(&text, exporter, request, certificate);
	rc = key_sign(key, text.data, text.len, signature, e);
	buf_free(&text);
	return rc;
}

int confirm_verify(const struct buf *spki, const uint8_t exporter[TLS_EXPORTER_LEN], const struct request_id *request,
		   const uint8_t certificate[SHA256_LEN], const struct buf *signature, struct err *e)
{
	struct buf text = {0};
	int rc;

	confirm_text(&text, exporter, request, certificate);
	rc = spki_verify(spki, text.data, text.len, signature, e);
	buf_free(&text);
	return rc == 0 ? 0 : err_prefix(e, "the proof of the confirm does not belong to this session, id and certificate");
}
