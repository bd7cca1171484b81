#include <config.h>

#include "camsg_recover.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "mem.h"

int mark_check(const struct xml_node *n, const char *mark, struct err *e)
{
	if (mark[0] && (strlen(mark) != CA_MARK_LEN || strspn(mark, "0123456789abcdef") != CA_MARK_LEN))
		return xml_error(n, e, "protocol-ca 3.8: the attribute 'mark' is not %d lower-case hex digits", CA_MARK_LEN);
	return 0;
}

void ca_known_free(struct ca_known *k)
{
	buf_free(&k->public_key);
	buf_free(&k->certificate);
	buf_free(&k->encrypted_key);
	memset(k, 0, sizeof *k);
}

struct ca_known *ca_known_add(struct ca_answer *a)
{
	if ((a->n_known & (a->n_known - 1)) == 0)
		a->known = mem_grow(a->known, a->n_known ? 2 * a->n_known : 1, sizeof *a->known);
	a->known[a->n_known] = (struct ca_known){0};
	return &a->known[a->n_known++];
}

static int attrs_read(const struct xml_node *n, struct ca_known *k, struct err *e)
{
	char id[REQUEST_ID_LEN + 1], generation[FIELD_NUMBER], state[16], mode[8];
	struct request_id renews = {0};
	const struct xml_attr attrs[] = {
		{ "id", id, sizeof id, true }, { "generation", generation, sizeof generation, true },
		{ "state", state, sizeof state, true }, { "reason", k->reason, sizeof k->reason, false },
		{ "renews", k->renews, sizeof k->renews, false }, { "mode", mode, sizeof mode, false },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || field_request(n, id, generation, &k->request, e))
		return -1;
	if (ca_state_parse(state, &k->state))
		return xml_error(n, e, "protocol-ca 5.2: the attribute 'state' is none of the states");
	if (k->reason[0] && !ca_reason_known(k->reason))
		return xml_error(n, e, "protocol-ca 5.9: the attribute 'reason' is not one of the reasons of 4.4");
	memcpy(renews.id, k->renews, sizeof renews.id);
	if (k->renews[0] && !request_id_valid(&renews))
		return xml_error(n, e, "protocol-ca 5.9: the attribute 'renews' is not a request id");
	if (mode[0] && strcmp(mode, "ca") != 0)
		return xml_error(n, e, "protocol-ca 5.9: the attribute 'mode' is not 'ca'");
	k->made = mode[0] != 0;
	return 0;
}

static int known_read(const struct xml_node *n, struct ca_known *k, struct err *e)
{
	const struct xml_node *device, *public_key, *certificate, *encrypted;
	const struct xml_child children[] = {
		{ "device", &device, false }, { "public-key", &public_key, false }, { "certificate", &certificate, false },
		{ "encrypted-key", &encrypted, false },
	};

	if (strcmp(xml_name(n), "known") != 0)
		return xml_error(n, e, "protocol-ca 5.9: not a 'known'");
	if (attrs_read(n, k, e) || xml_children(n, children, ARRAY_LEN(children), e) || field_device(device, &k->device, e) ||
	    field_base64(public_key, &k->public_key, LIMIT_CERT, e) ||
	    field_base64(certificate, &k->certificate, LIMIT_CERT, e) ||
	    field_base64(encrypted, &k->encrypted_key, LIMIT_CERT, e))
		return -1;
	return 0;
}

int recovered_read(const struct xml_node *n, struct ca_answer *a, struct err *e)
{
	char next[FIELD_NUMBER];
	const struct xml_attr attrs[] = {
		{ "mark", a->mark, sizeof a->mark, false },
		{ "next", next, sizeof next, false },
	};
	uint64_t row = 0;

	if (xml_attrs(n, attrs, 2, e) || mark_check(n, a->mark, e) || xml_only_elements(n, e) ||
	    (next[0] && field_uint(n, "next", next, 1, INT64_MAX, &row, e)))
		return -1;
	a->next = (int64_t)row;
	for (const struct xml_node *c = xml_first(n); c; c = xml_next(c)) {
		if (a->n_known == LIMIT_BATCH)
			return xml_error(c, e, "protocol-ca 5.9: more than %d 'known' in one answer", LIMIT_BATCH);
		if (known_read(c, ca_known_add(a), e))
			return -1;
	}
	return 0;
}

static void known_write(const struct ca_known *k, struct xml_out *w)
{
	char generation[FIELD_NUMBER];

	xml_open(w, "known", "id", k->request.id, "generation", field_number(generation, k->request.generation),
		 "state", ca_state_name(k->state), "reason", k->reason, "renews", k->renews, "mode", k->made ? "ca" : "", NULL);
	if (k->device.serial[0])
		field_write_device(w, &k->device);
	xml_leaf_base64(w, "public-key", k->public_key.data, k->public_key.len);
	xml_leaf_base64(w, "certificate", k->certificate.data, k->certificate.len);
	xml_leaf_base64(w, "encrypted-key", k->encrypted_key.data, k->encrypted_key.len);
	xml_close(w, "known");
}

void recovered_write(const struct ca_answer *a, const char *name, struct xml_out *w)
{
	char next[FIELD_NUMBER] = "";

	if (a->next)
		field_number(next, (uint64_t)a->next);
	xml_open(w, name, "mark", a->mark, "next", next, NULL);
	for (size_t i = 0; i < a->n_known; i++)
		known_write(&a->known[i], w);
	xml_close(w, name);
}
