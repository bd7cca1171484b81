#include <config.h>

#include "authz.h"

#include <inttypes.h>
#include <string.h>

int authz_blocked(struct db *db, const struct node_device *d, struct err *why, struct err *e)
{
	struct allow_entry a;
	bool other;
	int rc;

	if (d->blocked) {
		err_set(why, REASON_BLOCKED, "device %s is blocked at this node", d->id.serial);
		return 0;
	}
	rc = store_allow_get(db, &d->id, &a, &other, e);
	if (rc < 0)
		return -1;
	if (rc == 1 && a.blocked) {
		err_set(why, REASON_BLOCKED, "device %s is blocked by the allowlist, line %d", d->id.serial, a.line);
		return 0;
	}
	return 1;
}

/* Without a manifest there is no hash to compare with: what speaks for the certificate is that its maker has not revoked it.
 * Who lists a single device and no source of lists waits for its manifest. */
static int authz_unshipped(const struct allow_entry *a, const struct device_id *id, const struct crl_word *crl, struct err *why)
{
	if (crl->verdict == CRL_GOOD)
		return 1;
	if (crl->verdict == CRL_UNUSED && a->kind == ALLOW_SERIAL)
		err_set(why, REASON_NOT_LISTED,
			"device %s is on the allowlist but in no imported shipment manifest, so its factory certificate cannot be "
			"compared; import the manifest it was shipped with",
			id->serial);
	else if (crl->verdict == CRL_UNUSED)
		err_set(why, REASON_CA_UNAVAILABLE,
			"device %s is in no imported shipment manifest, and the allowlist, line %d, has it only by a %s, which needs the "
			"revocation list of its factory; name that as factory-crl in node.yaml, or import the manifest",
			id->serial, a->line, a->kind == ALLOW_RANGE ? "range" : "glob");
	else
		err_set(why, REASON_CA_UNAVAILABLE,
			"device %s is in no imported shipment manifest, so the revocation list of its factory is needed: %.200s",
			id->serial, crl->why.text);
	return 0;
}

/* The node accepts no other factory certificate than the one that the manufacturer signed for: doc/protocol-est.md 6.3. */
static int authz_shipped(struct db *db, const struct allow_entry *a, const struct device_id *id,
			 const uint8_t certificate[SHA256_LEN], const struct crl_word *crl, struct err *why, struct err *e)
{
	uint8_t shipped[SHA256_LEN];
	uint64_t sequence;
	int rc = store_shipped_get(db, id, &sequence, shipped, e);

	if (rc < 0)
		return -1;
	if (crl->verdict == CRL_REVOKED) {
		*why = crl->why;
		return 0;
	}
	if (rc == 0)
		return authz_unshipped(a, id, crl, why);
	if (memcmp(shipped, certificate, SHA256_LEN) != 0) {
		err_set(why, REASON_NOT_LISTED,
			"device %s shows another factory certificate than the one in manifest %" PRIu64
			"; import the manifest of its "
			"last shipment, and find out where the unit comes from if there is none",
			id->serial, sequence);
		return 0;
	}
	return 1;
}

int authz_listed(struct db *db, const struct device_id *id, const uint8_t certificate[SHA256_LEN], const struct crl_word *crl,
		 int64_t now, struct err *why, struct err *e)
{
	struct allow_entry a;
	bool other;
	int rc = store_allow_get(db, id, &a, &other, e);

	if (rc < 0)
		return -1;
	if (rc == 0 && other) {
		err_set(why, REASON_MODEL,
			"serial %s is on the allowlist for another model or manufacturer than \"%s\" of \"%s\"", id->serial,
			id->model, id->manufacturer);
		return 0;
	}
	if (rc == 0) {
		err_set(why, REASON_NOT_LISTED, "device %s, model \"%s\" of \"%s\", is not on the allowlist", id->serial,
			id->model, id->manufacturer);
		return 0;
	}
	if (a.expires && now > a.expires) {
		char until[TEXT_TIME];

		text_time(until, a.expires);
		err_set(why, REASON_BLOCKED, "the allowlist, line %d, lets device %s in only until %s", a.line, id->serial,
			until);
		return 0;
	}
	return authz_shipped(db, &a, id, certificate, crl, why, e);
}
