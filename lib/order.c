/* The work order: doc/protocol-documents.md section 2. */
#include <config.h>

#include "documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "fields.h"
#include "functions.h"
#include "mem.h"

#define WHAT "work order"
#define LABEL_REQUIRED "required"

/* ---- serial ranges ---- */

/* Where the two first differ: before it stands their common beginning, from it on the digits that count. */
static size_t range_prefix(const struct order_range *r)
{
	size_t n = 0;

	while (r->from[n] && r->from[n] == r->to[n])
		n++;
	return n;
}

static bool all_digits(const char *text)
{
	return text[strspn(text, "0123456789")] == 0;
}

bool order_range_fits(const struct order_range *r)
{
	size_t same = range_prefix(r);

	return strlen(r->from) == strlen(r->to) && all_digits(r->from + same) && all_digits(r->to + same);
}

static int range_judge(const struct xml_node *n, const struct order_range *r, struct err *e)
{
	if (field_token(n, "from", r->from, e) || field_token(n, "to", r->to, e))
		return -1;
	if (!order_range_fits(r))
		return xml_error(n, e, "protocol-documents 2.3: 'from' and 'to' must have the same length and differ only in "
				 "digits at their ends, like GB-000100 and GB-000199");
	if (strcmp(r->from, r->to) > 0)
		return xml_error(n, e, "protocol-documents 2.3: 'from' is after 'to'; swap them");
	return 0;
}

bool order_range_has(const struct order_range *r, const char *serial)
{
	size_t same = range_prefix(r);

	/* of equal length and all digits: the order of the text is the order of the numbers */
	return strlen(serial) == strlen(r->from) && memcmp(serial, r->from, same) == 0 && all_digits(serial + same) &&
	       strcmp(serial, r->from) >= 0 && strcmp(serial, r->to) <= 0;
}

bool work_order_has_serial(const struct work_order *o, const char *serial)
{
	for (size_t i = 0; i < o->n_ranges; i++)
		if (order_range_has(&o->range[i], serial))
			return true;
	return false;
}

bool work_order_has_station(const struct work_order *o, const char *station)
{
	for (size_t i = 0; i < o->n_stations; i++)
		if (strcmp(o->station[i], station) == 0)
			return true;
	return false;
}

/* What the order had before must stay: units may be under way. */
static bool keeps_lists(const struct work_order *next, const struct work_order *before)
{
	size_t i, k;

	for (i = 0; i < before->n_stations; i++)
		if (!work_order_has_station(next, before->station[i]))
			return false;
	for (i = 0; i < before->n_ranges; i++) {
		for (k = 0; k < next->n_ranges; k++)
			if (strcmp(next->range[k].from, before->range[i].from) == 0 && strcmp(next->range[k].to, before->range[i].to) == 0)
				break;
		if (k == next->n_ranges)
			return false;
	}
	return true;
}

int work_order_follows(const struct work_order *next, const struct work_order *before, struct err *e)
{
	if (strcmp(next->id, before->id) != 0 || next->version <= before->version)
		return err_set(e, REASON_ORDER, "another order with the id %s exists, of version %u; give a new one another id; an extension"
			       " has a higher version", before->id, before->version);
	if (strcmp(next->manufacturer, before->manufacturer) != 0 || strcmp(next->model, before->model) != 0 ||
	    strcmp(next->hw_type, before->hw_type) != 0 || memcmp(next->agent_sha256, before->agent_sha256, SHA256_LEN) != 0 ||
	    next->label != before->label)
		return err_set(e, REASON_ORDER, "order %s: an extension is for the same model and agent, with labels or without as before",
			       before->id);
	if (!keeps_lists(next, before))
		return err_set(e, REASON_ORDER, "order %s: an extension adds serials and stations, and takes none away", before->id);
	return 0;
}

/* ---- writing ---- */
static void order_xml(const struct work_order *o, struct buf *xml)
{
	char quota[FIELD_NUMBER], scrap[FIELD_NUMBER], agent[SHA256_HEX], from[TEXT_TIME], until[TEXT_TIME];
	char version[FIELD_NUMBER];
	struct xml_out w;

	text_hex(agent, o->agent_sha256, SHA256_LEN);
	text_time(from, o->not_before);
	text_time(until, o->not_after);
	xml_begin(&w, xml);
	xml_open(&w, "work-order", "id", o->id, "version", o->version > 1 ? field_number(version, o->version) : "", "manufacturer", o->manufacturer, "model", o->model, "hw-type", o->hw_type,
		 "quota", field_number(quota, o->quota), "scrap", field_number(scrap, o->scrap), "agent-sha256", agent,
		 "not-before", from, "not-after", until, "label", o->label ? LABEL_REQUIRED : "", NULL);
	for (size_t i = 0; i < o->n_ranges; i++)
		xml_empty(&w, "range", "from", o->range[i].from, "to", o->range[i].to, NULL);
	for (size_t i = 0; i < o->n_stations; i++)
		xml_empty(&w, "station", "name", o->station[i], NULL);
	xml_close(&w, "work-order");
}

int work_order_write(const struct work_order *o, const struct key *key, const struct chain *chain, struct buf *cms, struct err *e)
{
	struct work_order *again = mem_new(1, sizeof *again);
	struct buf xml = {0};
	int rc = -1;

	order_xml(o, &xml);
	if (work_order_parse(again, &xml, e))
		err_prefix(e, WHAT);
	else
		rc = document_sign(WHAT, &xml, key, chain, cms, e);
	free(again);
	buf_free(&xml);
	return rc;
}

/* ---- reading ---- */
static int root_read(struct work_order *o, const struct xml_node *n, struct err *e)
{
	char quota[FIELD_NUMBER], scrap[FIELD_NUMBER], agent[SHA256_HEX], from[TEXT_TIME], until[TEXT_TIME];
	char version[FIELD_NUMBER], label[16] = "";
	const struct xml_attr attrs[] = {
		{ "id", o->id, sizeof o->id, true },
		{ "version", version, sizeof version, false },
		{ "manufacturer", o->manufacturer, sizeof o->manufacturer, true },
		{ "model", o->model, sizeof o->model, true },
		{ "hw-type", o->hw_type, sizeof o->hw_type, true },
		{ "quota", quota, sizeof quota, true },
		{ "scrap", scrap, sizeof scrap, true },
		{ "agent-sha256", agent, sizeof agent, true },
		{ "not-before", from, sizeof from, true },
		{ "not-after", until, sizeof until, true },
		{ "label", label, sizeof label, false },
	};

	if (xml_attrs(n, attrs, ARRAY_LEN(attrs), e) || xml_only_elements(n, e) || field_token(n, "id", o->id, e) ||
	    field_uint32(n, "version", *version ? version : "1", 1, &o->version, e) ||
	    field_name(n, "manufacturer", o->manufacturer, e) || field_name(n, "model", o->model, e) ||
	    field_oid(n, "hw-type", o->hw_type, e) ||
	    field_uint32(n, "quota", quota, 1, &o->quota, e) || field_uint32(n, "scrap", scrap, 0, &o->scrap, e) ||
	    field_sha256(n, "agent-sha256", agent, o->agent_sha256, e) ||
	    field_time(n, "not-before", from, &o->not_before, e) || field_time(n, "not-after", until, &o->not_after, e))
		return -1;
	if (o->scrap > UINT32_MAX - o->quota)
		return xml_error(n, e, "protocol-documents 2.2: quota and scrap together are too large");
	if (label[0] && strcmp(label, LABEL_REQUIRED) != 0)
		return xml_error(n, e, "protocol-documents 2.6: 'label' is 'required', or it is left out");
	o->label = label[0];
	if (o->not_before >= o->not_after)
		return xml_error(n, e, "protocol-documents 2.2: 'not-after' is not after 'not-before'");
	return 0;
}

static int range_read(struct work_order *o, const struct xml_node *n, struct err *e)
{
	struct order_range *r = &o->range[o->n_ranges];
	const struct xml_attr attrs[] = { { "from", r->from, sizeof r->from, true }, { "to", r->to, sizeof r->to, true } };

	if (o->n_ranges == ORDER_RANGES_MAX)
		return xml_error(n, e, "protocol-documents 2.3: more than %d ranges", ORDER_RANGES_MAX);
	if (xml_attrs(n, attrs, 2, e) || xml_children(n, NULL, 0, e) || range_judge(n, r, e))
		return -1;
	o->n_ranges++;
	return 0;
}

static int station_read(struct work_order *o, const struct xml_node *n, struct err *e)
{
	char name[sizeof o->station[0]];
	const struct xml_attr attrs[] = { { "name", name, sizeof name, true } };

	if (o->n_stations == ORDER_STATIONS_MAX)
		return xml_error(n, e, "protocol-documents 2.4: more than %d stations", ORDER_STATIONS_MAX);
	if (xml_attrs(n, attrs, 1, e) || xml_children(n, NULL, 0, e) || field_token(n, "name", name, e))
		return -1;
	strcpy(o->station[o->n_stations++], name);
	return 0;
}

static int children_read(struct work_order *o, const struct xml_node *root, struct err *e)
{
	for (const struct xml_node *c = xml_first(root); c; c = xml_next(c)) {
		int rc;

		if (strcmp(xml_name(c), "range") == 0)
			rc = range_read(o, c, e);
		else if (strcmp(xml_name(c), "station") == 0)
			rc = station_read(o, c, e);
		else
			rc = xml_error(c, e, "protocol-documents 2.1: only 'range' and 'station' are allowed here");
		if (rc)
			return -1;
	}
	if (o->n_ranges == 0 || o->n_stations == 0)
		return xml_error(root, e, "protocol-documents 2.1: at least one 'range' and one 'station' are needed");
	return 0;
}

int work_order_parse(struct work_order *o, const struct buf *xml, struct err *e)
{
	struct xml *x = document_parse(xml, "work-order", e);
	int rc;

	if (!x)
		return -1;
	memset(o, 0, sizeof *o);
	rc = root_read(o, xml_root(x), e) || children_read(o, xml_root(x), e) ? -1 : 0;
	xml_free(x);
	return rc;
}

int work_order_read(struct work_order *o, const void *cms, size_t len, struct trust *t, struct err *e)
{
	struct buf xml = {0};
	struct cert signer = {0};
	int rc = -1;

	if (document_open_by(WHAT, cms, len, t, FUNCTION_CLERK, &xml, &signer, e))
		goto out;
	if (work_order_parse(o, &xml, e)) {
		err_prefix(e, WHAT);
		goto out;
	}
	snprintf(o->operator_name, sizeof o->operator_name, "%s", signer.name);
	o->person = strcmp(signer.role, PERSON) == 0;
	rc = 0;
out:
	cert_free(&signer);
	buf_free(&xml);
	return rc;
}
