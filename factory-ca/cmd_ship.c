#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "documents.h"
#include "file.h"
#include "ledger_list.h"
#include "mem.h"
#include "order_options.h"

struct shipment {
	struct manifest m;
	uint8_t (*key)[SHA256_LEN];	/* of each entry's factory key */
	struct work_order part;		/* its ranges are those of the order that are shipped; none: all */
	size_t resold;			/* that another customer had before */
	struct err damaged;		/* code OK: none of the certificates is */
};

/* Each active one becomes an entry. */
static int add_entry(void *arg, const struct ledger_row *row)
{
	struct shipment *s = arg;
	struct manifest *m = &s->m;
	struct manifest_entry *entry;
	struct cert c = {0};

	if (s->part.n_ranges && !work_order_has_serial(&s->part, row->device.serial))
		return 0;
	/* of the certificate: the request may have had a transport key */
	if (cert_parse(&c, row->r.cert.data, row->r.cert.len, &s->damaged) < 0)
		return 1;
	s->key = mem_grow(s->key, m->n + 1, sizeof *s->key);
	memcpy(s->key[m->n], c.spki_sha256, SHA256_LEN);
	cert_free(&c);
	m->entry = mem_grow(m->entry, m->n + 1, sizeof *m->entry);
	entry = &m->entry[m->n++];
	*entry = (struct manifest_entry){ .device = row->device };
	memcpy(entry->certificate, row->r.cert_sha256, SHA256_LEN);
	return 0;
}

static int collect_order(struct office *o, const struct cli *c, struct shipment *s, struct err *e)
{
	struct ledger_filter f = { .order = cli_get(c, "order"), .state = "active" };

	if (option_lists(&s->part, c, e) < 0 || ledger_list(o->ledger, &f, add_entry, s, e) < 0)
		return -1;
	return s->m.n ? 0
		      : err_set(e, REASON_ORDER, "order %s has no device with an active credential%s; nothing to ship", f.order,
				s->part.n_ranges ? " among these --serials" : "");
}

static int collect(struct office *o, const struct cli *c, struct shipment *s, struct err *e)
{
	struct manifest *m = &s->m;
	const char *order = cli_get(c, "order");
	struct ledger_filter f = { .state = "active" };
	size_t n = cli_count(c, "device");

	if (!order == !n)
		return err_set(e, REASON_CONFIG, "give either --order ID or --device SERIAL, which may be repeated");
	if (order)
		return collect_order(o, c, s, e);
	if (cli_count(c, "serials"))
		return err_set(e, REASON_CONFIG, "--serials goes with --order; name single devices by --device SERIAL");
	for (size_t i = 0; i < n; i++) {
		f.serial = cli_get_n(c, "device", i);
		if (ledger_list(o->ledger, &f, add_entry, s, e) < 0)
			return -1;
		if (m->n == i)
			return err_set(e, REASON_REQUEST, "device %s has no active credential; it cannot be shipped",
				       f.serial);
		if (m->n > i + 1)
			return err_set(
				e, REASON_REQUEST,
				"device %s is given twice or the serial is used by several models; ship by --order",
				f.serial);
	}
	return 0;
}

/* A voucher of a higher sequence takes a device from whoever had it (protocol-documents 6.2), and cannot be taken back. */
static int check_owners(struct office *o, const struct cli *c, struct shipment *s, struct err *e)
{
	char customer[LIMIT_NAME + 1], first[LIMIT_NAME + 1] = "";
	uint64_t sequence, first_sequence = 0;
	const struct manifest *m = &s->m;
	const char *serial = "";

	for (size_t i = 0; i < m->n; i++) {
		int rc = ledger_shipped_to(o->ledger, &m->entry[i].device, customer, &sequence, e);

		if (rc < 0)
			return -1;
		if (rc == 0 || strcmp(customer, m->customer) == 0)
			continue;
		if (s->resold++ == 0) {
			text_copy(first, sizeof first, customer);
			first_sequence = sequence;
			serial = m->entry[i].device.serial;
		}
	}
	return s->resold && !cli_has(c, "resale")
		       ? err_set(e, REASON_CONFIG, "%zu of %zu devices went to another customer before, %s to %s (shipment %llu); "
				 "leave them out, or give --resale if they change hands", s->resold, m->n, serial, first, (unsigned long long)first_sequence)
		       : 0;
}

/* protocol-documents 6: whose each device is from now on, in its own words for the device itself. */
static int add_vouchers(struct shipment *s, const struct operator *op, struct err *e)
{
	struct voucher v = { .sequence = s->m.sequence };

	if (s->damaged.code != REASON_OK) {
		*e = s->damaged;
		return err_prefix(e, "the ledger has a certificate that cannot be read");
	}
	memcpy(v.customer, s->m.customer, sizeof v.customer);
	for (size_t i = 0; i < s->m.n; i++) {
		v.device = s->m.entry[i].device;
		memcpy(v.key_sha256, s->key[i], SHA256_LEN);
		if (voucher_write(&v, op->key, &op->chain, &s->m.entry[i].voucher, e) < 0)
			return -1;
	}
	return 0;
}

/* The sequence is on disk before the manifest is: no two manifests ever have the same. */
static int ship(struct office *o, const struct cli *c, struct shipment *s, struct err *e)
{
	struct manifest *m = &s->m;
	const char *customer, *out;
	struct operator op = {0};
	struct buf cms = {0};
	char detail[80];
	int rc = -1;

	if (o->settings.site != SITE_FACTORY)
		return err_set(e, REASON_CONFIG, "the factory ships; this is a customer's CA system");
	if (option_needed(c, "customer", &customer, e) < 0 || option_needed(c, "out", &out, e) < 0 ||
	    operator_load(&op, o->dir, e) < 0)
		return -1;
	m->time = clock_utc();
	if (!text_is_token(customer, LIMIT_NAME)) {
		err_set(e, REASON_CONFIG, "--customer %s: letters, digits, \".\", \"_\" and \"-\"", customer);
		goto out;
	}
	snprintf(m->customer, sizeof m->customer, "%s", customer);
	if (db_begin(o->ledger, e) < 0)
		goto out;
	rc = audit_head_last(o->ledger, &m->audit, e) < 0 ? -1 : collect(o, c, s, e);
	if (rc == 0)
		rc = check_owners(o, c, s, e);
	if (rc == 0)
		rc = ledger_shipment_next(o->ledger, &m->sequence, e);
	if (rc == 0)
		rc = add_vouchers(s, &op, e);
	if (rc == 0)
		rc = manifest_write(m, op.key, &op.chain, &cms, e);
	if (rc == 0)
		rc = ledger_shipment_add(o->ledger, m, &cms, e);
	snprintf(detail, sizeof detail, "sequence=%llu devices=%zu resold=%zu", (unsigned long long)m->sequence, m->n, s->resold);
	if (rc == 0)
		rc = audit_add(o->ledger, m->time, o->actor, "ship", m->customer, detail, e);
	if (rc < 0)
		db_rollback(o->ledger);
	else
		rc = db_commit(o->ledger, e);
	if (rc == 0)
		rc = file_replace(out, cms.data, cms.len, 0644, e);
out:
	buf_free(&cms);
	operator_free(&op);
	return rc;
}

enum cli_exit cmd_ship(const struct cli *c)
{
	struct shipment s = {0};
	const struct manifest *m = &s.m;
	struct office o;
	struct jsonl *j;
	struct err e;
	int rc;

	if (office_open(&o, c, &e) < 0)
		return cli_fail(c, &e);
	rc = ship(&o, c, &s, &e);
	office_close(&o);
	if (rc == 0 && cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "customer", m->customer);
		jsonl_int(j, "sequence", (int64_t)m->sequence);
		jsonl_int(j, "devices", (int64_t)m->n);
		jsonl_int(j, "resold", (int64_t)s.resold);
		jsonl_print(j);
	} else if (rc == 0) {
		printf("shipment %llu to %s: %zu devices, in %s\n", (unsigned long long)m->sequence, m->customer, m->n,
		       cli_get(c, "out"));
	}
	manifest_free(&s.m);
	free(s.key);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
