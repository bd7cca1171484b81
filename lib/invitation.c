/* The invitation of a unit, and its request for renewal: doc/protocol-documents.md sections 8 and 9. */
#include <config.h>

#include "documents.h"

#include <stdio.h>
#include <string.h>

#include "document.h"
#include "fields.h"
#include "functions.h"
#include "mem.h"

/* ---- invitation ---- */
static void invitation_xml(const struct invitation *v, struct buf *xml)
{
	char key[2 * INVITE_KEY + 1], from[TEXT_TIME], until[TEXT_TIME];
	struct xml_out w;

	text_hex(key, v->key, INVITE_KEY);
	text_time(from, v->not_before);
	text_time(until, v->not_after);
	xml_begin(&w, xml);
	xml_open(&w, "invitation", "key", key, "role", v->role, "name", v->name, "functions", v->functions, "not-before", from, "not-after", until, NULL);
	for (size_t i = 0; i < INVITATION_HOSTS && *v->host[i]; i++)
		xml_empty(&w, "host", "name", v->host[i], NULL);
	xml_close(&w, "invitation");
}

static int hosts_read(struct invitation *v, const struct xml_node *root, struct err *e)
{
	size_t n = 0;

	for (const struct xml_node *c = xml_first(root); c; c = xml_next(c)) {
		char name[sizeof v->host[0]];
		const struct xml_attr attrs[] = { { "name", name, sizeof name, true } };

		if (strcmp(xml_name(c), "host") != 0)
			return xml_error(c, e, "protocol-documents 8.2: only 'host' is allowed here");
		if (n == INVITATION_HOSTS)
			return xml_error(c, e, "protocol-documents 8.2: more than %d hosts", INVITATION_HOSTS);
		if (xml_attrs(c, attrs, 1, e) || xml_children(c, NULL, 0, e) || field_name(c, "name", name, e))
			return -1;
		snprintf(v->host[n++], sizeof name, "%s", name);
	}
	return 0;
}

static int invitation_root(struct invitation *v, const struct xml_node *n, struct err *e)
{
	char key[2 * INVITE_KEY + 1], from[TEXT_TIME], until[TEXT_TIME];
	const struct xml_attr attrs[] = {
		{ "key", key, sizeof key, true },
		{ "role", v->role, sizeof v->role, true },
		{ "name", v->name, sizeof v->name, true },
		{ "functions", v->functions, sizeof v->functions, false },
		{ "not-before", from, sizeof from, true },
		{ "not-after", until, sizeof until, true },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_only_elements(n, e) || field_sha256(n, "key", key, v->key, e) ||
	    field_token(n, "role", v->role, e) || field_token(n, "name", v->name, e) ||
	    field_time(n, "not-before", from, &v->not_before, e) || field_time(n, "not-after", until, &v->not_after, e))
		return -1;
	if ((strcmp(v->role, PERSON) == 0) != (functions_parse(v->functions) != 0) || (*v->functions && strcmp(v->role, PERSON) != 0))
		return xml_error(n, e, "protocol-documents 8.7: a person has functions, and no other role has");
	if (v->not_before >= v->not_after || v->not_after - v->not_before > INVITATION_MAX_S)
		return xml_error(n, e, "protocol-documents 8.3: 'not-after' is not within %d days after 'not-before'",
				 INVITATION_MAX_S / 86400);
	return hosts_read(v, n, e);
}

int invitation_parse(struct invitation *v, const struct buf *xml, struct err *e)
{
	struct xml *x = document_parse(xml, "invitation", e);
	int rc;

	if (!x)
		return -1;
	memset(v, 0, sizeof *v);
	rc = invitation_root(v, xml_root(x), e);
	xml_free(x);
	return rc;
}

int invitation_write(const struct invitation *v, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct invitation again;
	struct buf xml = {0};
	int rc = -1;

	invitation_xml(v, &xml);
	if (invitation_parse(&again, &xml, e))
		err_prefix(e, "invitation");
	else
		rc = document_sign("invitation", &xml, key, chain, cms, e);
	buf_free(&xml);
	return rc;
}

/* Who invites persons, and who units. */
static int invited_by(struct invitation *v, const struct cert *signer, struct err *e)
{
	enum act a = strcmp(v->role, PERSON) == 0 ? ACT_OPERATOR_INVITE : ACT_UNIT_INVITE;

	snprintf(v->operator_name, sizeof v->operator_name, "%s", signer->name);
	v->person = strcmp(signer->role, PERSON) == 0;
	return act_allowed(a, signer->name, functions_of(signer), e);
}

int invitation_read(struct invitation *v, const void *cms, size_t len, struct trust *t, struct err *e)
{
	struct cert signer = {0};
	struct buf xml = {0};
	int rc = -1;

	if (document_open_by("invitation", cms, len, t, FUNCTION_RA | FUNCTION_ADMINISTRATOR, &xml, &signer, e) == 0) {
		rc = invitation_parse(v, &xml, e);
		if (rc)
			err_prefix(e, "invitation");
		else
			rc = invited_by(v, &signer, e);
	}
	cert_free(&signer);
	buf_free(&xml);
	return rc;
}

/* ---- renewal ---- */
int unit_renewal_parse(struct unit_renewal *r, const struct buf *xml, struct err *e)
{
	char key[SHA256_HEX], time[TEXT_TIME];
	const struct xml_attr attrs[] = { { "key-sha256", key, sizeof key, true }, { "time", time, sizeof time, true } };
	struct xml *x = document_parse(xml, "unit-renewal", e);
	const struct xml_node *n;
	int rc;

	if (!x)
		return -1;
	n = xml_root(x);
	memset(r, 0, sizeof *r);
	rc = xml_attrs(n, attrs, 2, e) || xml_children(n, NULL, 0, e) || field_sha256(n, "key-sha256", key, r->key_sha256, e) ||
	     field_time(n, "time", time, &r->time, e) ? -1 : 0;
	xml_free(x);
	return rc;
}

int unit_renewal_write(const struct unit_renewal *r, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	char sha256[SHA256_HEX], time[TEXT_TIME];
	struct buf xml = {0};
	struct xml_out w;
	int rc;

	text_hex(sha256, r->key_sha256, SHA256_LEN);
	text_time(time, r->time);
	xml_begin(&w, &xml);
	xml_open(&w, "unit-renewal", "key-sha256", sha256, "time", time, NULL);
	xml_close(&w, "unit-renewal");
	rc = document_sign("unit-renewal", &xml, key, chain, cms, e);
	buf_free(&xml);
	return rc;
}

int unit_renewal_read(struct unit_renewal *r, struct cert *unit, const void *cms, size_t len, struct trust *t, struct err *e)
{
	struct buf xml = {0};
	int rc = document_open("unit-renewal", cms, len, t, NULL, &xml, unit, e);

	if (rc == 0 && unit_renewal_parse(r, &xml, e) < 0)
		rc = err_prefix(e, "unit-renewal");
	buf_free(&xml);
	return rc;
}
