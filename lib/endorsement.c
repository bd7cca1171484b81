#include <config.h>

#include "endorsement.h"

#include "pack.h"

static void endorsement_text(struct buf *out, const struct request_id *request, const uint8_t spki[SHA256_LEN],
			     const uint8_t node[SHA256_LEN])
{
	static const char label[] = "handsel-endorsement-v1";

	buf_add(out, label, sizeof label);	/* with its NUL */
	buf_add(out, request->id, REQUEST_ID_LEN);
	pack_u32(out, request->generation);
	buf_add(out, spki, SHA256_LEN);
	buf_add(out, node, SHA256_LEN);
}

int endorsement_sign(const struct key *key, const struct request_id *request, const uint8_t spki[SHA256_LEN],
		     const uint8_t node[SHA256_LEN], struct buf *signature, struct err *e)
{
	struct buf text = {0};
	int rc;

	endorsement_text(&text, request, spki, node);
	rc = key_sign(key, text.data, text.len, signature, e);
	buf_free(&text);
	return rc;
}

int endorsement_verify(const struct buf *signer, const struct request_id *request, const uint8_t spki[SHA256_LEN],
		       const uint8_t node[SHA256_LEN], const struct buf *signature, struct err *e)
{
	struct buf text = {0};
	struct err why;
	int rc;

	endorsement_text(&text, request, spki, node);
	rc = spki_verify(signer, text.data, text.len, signature, &why);
	buf_free(&text);
	return rc == 0 ? 0 : err_set(e, REASON_ENDORSEMENT, "endorsement: no signature of the device's key over this request id, "
				     "new public key and node");
}
