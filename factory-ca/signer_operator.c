#include <config.h>

#include "signer_private.h"

#include <string.h>

#include "audit.h"
#include "clock.h"

int signer_on_unit(struct server *s, struct unpack *u, struct buf *answer, struct err *e)
{
	struct buf spki = {0}, der = {0};
	struct unit_plan p = {0};
	char who[WHO_MAX];
	int rc = -2;

	unpack_str(u, p.role, sizeof p.role);
	unpack_str(u, p.name, sizeof p.name);
	unpack_str(u, p.customer, sizeof p.customer);
	for (size_t i = 0; i < SIGNER_HOSTS; i++)
		unpack_str(u, p.host[i], sizeof p.host[i]);
	unpack_bytes(u, &spki);
	if (!unpack_done(u))
		goto out;
	/* the CA's own are renewed by whoever makes new keys for all (ca rollover); who was ended stays so, with whatever certificate */
	if (strcmp(p.role, "ca") != 0 && strcmp(p.role, "operator") != 0 && signer_local_may(s, ACT_UNIT_INVITE, e) < 0) {
		rc = -1;
		goto out;
	}
	signer_local_who(s, who);
	rc = build_unit(&s->build, &p, &spki, clock_utc(), &der, e);
	if (rc == 0 && (rc = db_begin(s->db, e)) == 0) {
		rc = audit_add(s->db, clock_utc(), who, "unit", p.name, p.role, e);
		if (rc == 0)
			rc = db_commit(s->db, e);
		else
			db_rollback(s->db);
	}
	if (rc == 0)
		pack_bytes(answer, der.data, der.len);
out:
	buf_free(&spki);
	buf_free(&der);
	return rc;
}
