#include <config.h>

#include "account.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "ledger_list.h"
#include "mem.h"
#include "record_index.h"

struct gathering {
	struct account *a;
	struct office *o;
	struct trust *trust;		/* the roots: stations and devices are under them */
	struct signer *signer;
	uint64_t heard;			/* up to which change the signer's journal was read */
	const char *dir;		/* of the station that is read */
	uint32_t held;			/* serials that hold a unit */
};

__attribute__((format(printf, 3, 4))) static void find(struct account *a, const char *serial, const char *fmt, ...)
{
	struct account_finding *f;
	va_list ap;

	a->finding = mem_grow(a->finding, a->n_findings + 1, sizeof *a->finding);
	f = &a->finding[a->n_findings++];
	snprintf(f->serial, sizeof f->serial, "%s", serial);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
}

static struct account_entry *entry_add(struct account *a, const uint8_t sha256[SHA256_LEN], const struct device_id *device,
				       enum witness by, enum tale tale)
{
	struct account_entry *en;

	a->entry = mem_grow(a->entry, a->n + 1, sizeof *a->entry);
	en = &a->entry[a->n++];
	*en = (struct account_entry){ .device = *device };
	memcpy(en->sha256, sha256, SHA256_LEN);
	en->tale[by] = tale;
	return en;
}

/* ---- the witnesses ---- */
static int from_ledger(void *arg, const struct ledger_row *row)
{
	static const enum tale tales[] = { [CA_PENDING] = TALE_PENDING, [CA_ACTIVE] = TALE_ACTIVE, [CA_SUPERSEDED] = TALE_OVER,
					   [CA_REVOKED] = TALE_OVER };
	struct gathering *g = arg;

	if (row->r.cert.len && row->r.state < ARRAY_LEN(tales))
		entry_add(g->a, row->r.cert_sha256, &row->device, BY_LEDGER, tales[row->r.state]);
	return 0;
}

static int from_signer(void *arg, const struct signed_row *row, struct err *e)
{
	struct gathering *g = arg;
	uint8_t sha256[SHA256_LEN];

	if (strcmp(row->order, g->a->order.id) != 0)
		return 0;
	digest_sha256(sha256, row->der.data, row->der.len);
	entry_add(g->a, sha256, &row->device, BY_SIGNER, row->ended ? TALE_OVER : row->active ? TALE_ACTIVE : TALE_PENDING);
	return 0;
}

static int from_record(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct gathering *g = arg;
	struct account *a = g->a;
	struct record r;
	struct err why;

	if (!follows)
		find(a, en->serial, "%s: the index was changed before record %s: a record was removed or exchanged", g->dir, en->id);
	if (strcmp(en->order, a->order.id) != 0)
		return 0;
	if (records_verify(g->dir, g->trust, en, &r, &why) < 0) {
		find(a, en->serial, "%s: record %s is bad: %s", g->dir, en->id, why.text);
	} else {
		a->records++;
		if (r.outcome == OUTCOME_PASS) {
			struct account_entry *to = entry_add(a, r.certificate, &r.hello.device, BY_RECORD, TALE_ACTIVE);

			snprintf(to->station, sizeof to->station, "%s", r.station);
			a->passed++;
		}
	}
	record_free(&r);
	return 0;
}

static int read_station(struct gathering *g, const char *dir, struct err *e)
{
	struct err why;

	g->dir = dir;
	g->a->stations++;
	if (!file_exists(dir))
		return err_set(e, REASON_CONFIG, "--records %s: there is no such folder", dir);
	if (records_each(dir, from_record, g, &why) < 0)
		find(g->a, "-", "%s: %s", dir, why.text);
	return 0;
}

/* What takes its time: all that was ever signed, and every record. */
static int hear(struct gathering *g, const char *const *dirs, size_t n_dirs, struct err *e)
{
	uint64_t told;
	int rc = signer_position(g->signer, "", &g->heard, &told, e);

	if (rc == 0)
		rc = signer_journal(g->signer, "", 0, from_signer, g, e);
	for (size_t i = 0; i < n_dirs && rc == 0; i++)
		rc = read_station(g, dirs[i], e);
	return rc;
}

/* ---- what they say together ---- */
static int by_certificate(const void *x, const void *y)
{
	return memcmp(((const struct account_entry *)x)->sha256, ((const struct account_entry *)y)->sha256, SHA256_LEN);
}

static int by_device(const void *x, const void *y)
{
	const struct account_entry *a = x, *b = y;
	int rc = strcmp(a->device.serial, b->device.serial);

	return rc ? rc : by_certificate(x, y);
}

static int by_serial(const void *x, const void *y)
{
	const struct account_finding *a = x, *b = y;
	int rc = strcmp(a->serial, b->serial);

	return rc ? rc : strcmp(a->text, b->text);
}

/* Entries of one certificate become one. A witness that spoke twice has seen it go on: pending, active, over. */
static void merge(struct account *a)
{
	size_t to = 0;

	if (a->n)
		qsort(a->entry, a->n, sizeof *a->entry, by_certificate);
	for (size_t i = 0; i < a->n; i++) {
		struct account_entry *into = to ? &a->entry[to - 1] : NULL;

		if (!into || memcmp(into->sha256, a->entry[i].sha256, SHA256_LEN) != 0) {
			a->entry[to++] = a->entry[i];
			continue;
		}
		if (!device_same(&into->device, &a->entry[i].device))
			find(a, into->device.serial, "one certificate is told of for two devices, the other is serial %s", a->entry[i].device.serial);
		for (size_t w = 0; w < WITNESSES; w++)
			if (a->entry[i].tale[w] > into->tale[w])
				into->tale[w] = a->entry[i].tale[w];
		if (*a->entry[i].station)
			memcpy(into->station, a->entry[i].station, sizeof into->station);
	}
	a->n = to;
	if (a->n)
		qsort(a->entry, a->n, sizeof *a->entry, by_device);
}

static const char *tale_text(enum tale t)
{
	static const char *const texts[] = { [TALE_NONE] = "unknown", [TALE_PENDING] = "pending", [TALE_ACTIVE] = "active",
					     [TALE_OVER] = "over" };

	return texts[t];
}

/* A credential that is over may have passed before. What an operator has ended the signer hears of with the next message. */
static int compare(struct gathering *g, const struct account_entry *en, bool records, struct err *e)
{
	enum tale ledger = en->tale[BY_LEDGER], signer = en->tale[BY_SIGNER], record = en->tale[BY_RECORD];
	struct account *a = g->a;
	char sha256[SHA256_HEX];
	int waits = signer == ledger ? 0 : ledger_note_waits(g->o->ledger, en->sha256, e);

	if (waits < 0)
		return -1;
	text_hex(sha256, en->sha256, SHA256_LEN);
	if (signer != ledger && !waits)
		find(a, en->device.serial, "certificate %.16s is %s to the ledger and %s to the signer", sha256, tale_text(ledger),
		     tale_text(signer));
	if (record == TALE_ACTIVE && ledger == TALE_NONE)
		find(a, en->device.serial, "station %s says PASS with certificate %.16s, which the ledger has not issued", en->station, sha256);
	else if (record == TALE_ACTIVE && ledger == TALE_PENDING)
		find(a, en->device.serial, "station %s says PASS, the device has not confirmed certificate %.16s", en->station, sha256);
	else if (records && record == TALE_NONE && ledger == TALE_ACTIVE)
		find(a, en->device.serial, "active, certificate %.16s, and no station has a record of its PASS", sha256);
	return 0;
}

static int count_device(struct gathering *g, const struct account_entry *first, size_t n, struct err *e)
{
	struct ledger_device d;
	bool active = false, pending = false;
	int rc = ledger_device_get(g->o->ledger, &first->device, &d, e);

	for (size_t i = 0; i < n; i++) {
		active = active || first[i].tale[BY_LEDGER] == TALE_ACTIVE;
		pending = pending || first[i].tale[BY_LEDGER] == TALE_PENDING;
	}
	if (rc < 1 || strcmp(d.order, g->a->order.id) != 0) {
		if (rc >= 0 && active)
			find(g->a, first->device.serial, "active, and holds no unit of the order");
		return rc < 0 ? -1 : 0;
	}
	g->held++;
	if (active)
		g->a->good++;
	else if (pending)
		g->a->pending++;
	else
		g->a->scrap++;
	return 0;
}

static int count_units(struct gathering *g, struct err *e)
{
	struct account *a = g->a;

	for (size_t i = 0, n; i < a->n; i += n) {
		for (n = 1; i + n < a->n && device_same(&a->entry[i].device, &a->entry[i + n].device); n++)
			;
		if (count_device(g, &a->entry[i], n, e) < 0)
			return -1;
	}
	if (g->held != a->row.used)
		find(a, "-", "%u units are booked, but %u serials hold one", a->row.used, g->held);
	a->open = a->row.quota - (a->good + a->scrap < a->row.quota ? a->good + a->scrap : a->row.quota);
	if (a->good + a->scrap + a->open != a->order.quota)
		find(a, "-", "%u units were ordered, but %u are good and %u scrap", a->order.quota, a->good, a->scrap);
	return 0;
}

static void count_keys(struct account *a)
{
	for (size_t i = 0; i < a->n; i++)
		a->keys += a->entry[i].tale[BY_SIGNER] != TALE_NONE;
	a->keys_max = (uint64_t)a->order.quota + a->order.scrap;
	if (a->keys > a->keys_max)
		find(a, "-", "the signer has signed %llu keys, of %llu", (unsigned long long)a->keys, (unsigned long long)a->keys_max);
}

/* ---- all ---- */
static int read_order(struct account *a, struct office *o, const char *id, struct err *e)
{
	struct buf cms = {0};
	int rc = ledger_order_get(o->ledger, id, &a->row, &cms, e);

	if (rc == 0)
		err_set(e, REASON_ORDER, "there is no order %s; \"handsel-ca order list\" shows them", id);
	else if (rc == 1)
		rc = work_order_read(&a->order, cms.data, cms.len, o->ca.trust, e) < 0 ? -1 : 1;
	buf_free(&cms);
	return rc == 1 ? 0 : -1;
}

/* The ledger's word, and what the signer has done since it was heard: both of one moment, though the CA goes on. The CA tells the
 * signer within its transaction, so there is none while this one lasts. */
static int settle(struct gathering *g, const char *id, bool records, struct err *e)
{
	struct account *a = g->a;
	const struct ledger_filter of_order = { .order = a->order.id };

	if (read_order(a, g->o, id, e) < 0 || ledger_list(g->o->ledger, &of_order, from_ledger, g, e) < 0 ||
	    signer_journal(g->signer, "", g->heard, from_signer, g, e) < 0)
		return -1;
	merge(a);
	for (size_t i = 0; i < a->n; i++)
		if (compare(g, &a->entry[i], records, e) < 0)
			return -1;
	count_keys(a);
	return count_units(g, e);
}

static int gather(struct gathering *g, const char *id, const char *const *dirs, size_t n_dirs, struct err *e)
{
	int rc;

	if (read_order(g->a, g->o, id, e) < 0 || hear(g, dirs, n_dirs, e) < 0 || db_begin(g->o->ledger, e) < 0)
		return -1;
	rc = settle(g, id, n_dirs > 0, e);
	db_rollback(g->o->ledger);
	return rc;
}

int account_make(struct account *a, struct office *o, const char *id, const char *const *dirs, size_t n_dirs, struct err *e)
{
	struct gathering g = { .a = a, .o = o, .trust = trust_new() };
	int rc;

	*a = (struct account){0};
	rc = trust_add_root(g.trust, o->ca.root.cert, e);
	if (rc == 0 && o->ca.older_root.n)
		rc = trust_add_root(g.trust, o->ca.older_root.cert, e);
	if (rc == 0 && !(g.signer = signer_start(o->dir, SIGNER_FOR_OPERATOR, e)))
		rc = -1;
	if (rc == 0)
		rc = gather(&g, id, dirs, n_dirs, e);
	signer_stop(g.signer);
	trust_free(g.trust);
	if (a->n_findings)
		qsort(a->finding, a->n_findings, sizeof *a->finding, by_serial);
	return rc;
}

void account_free(struct account *a)
{
	free(a->entry);
	free(a->finding);
	*a = (struct account){0};
}
