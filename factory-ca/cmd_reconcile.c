#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "digest.h"
#include "fault.h"
#include "learn.h"
#include "ledger_list.h"
#include "mem.h"

struct reconcile {
	const struct cli *c;
	struct office o;
	struct signer *s;
	bool apply;
	enum accord accord;
	uint64_t at, changes;		/* of the ledger, of the signer */
	size_t certificates, orders;	/* that one side lacks */
	struct signed_row page[SIGNER_ROWS];	/* ledger rows on their way to the signer */
	size_t n;
	int rc;				/* of what a walk over the ledger came upon, likewise the next */
	struct err *e;
};

/* ---- what is shown ---- */
static const char *side(const struct reconcile *r)
{
	return r->accord == LEDGER_BEHIND ? "ledger" : "signer";
}

static void show_row(void *arg, const struct signed_row *row)
{
	const struct reconcile *r = arg;
	const char *state = row->ended ? "ended" : row->active ? "active" : "pending";
	char key[SHA256_HEX], certificate[SHA256_HEX];
	struct jsonl *j;

	digest_sha256_hex(key, row->spki.data, row->spki.len);
	digest_sha256_hex(certificate, row->der.data, row->der.len);
	if (!cli_json(r->c)) {
		printf("%s lacks  %-20s %-16s %-8s key %.16s  certificate %.16s\n", side(r), row->device.serial,
		       *row->order ? row->order : row->unit, state, key, certificate);
		return;
	}
	j = jsonl_new("lacking");
	jsonl_str(j, "side", side(r));
	jsonl_str(j, "order", row->order);
	jsonl_str(j, "manufacturer", row->device.manufacturer);
	jsonl_str(j, "model", row->device.model);
	jsonl_str(j, "serial", row->device.serial);
	jsonl_str(j, "unit", row->unit);
	jsonl_str(j, "id", row->id.id);
	jsonl_str(j, "state", state);
	jsonl_str(j, "key_sha256", key);
	jsonl_str(j, "certificate_sha256", certificate);
	jsonl_print(j);
}

static void show_order(struct reconcile *r, const char *id)
{
	struct jsonl *j;

	r->orders++;
	if (!cli_json(r->c)) {
		printf("%s lacks  work order %s, an extension of it, or that it is closed\n", side(r), id);
		return;
	}
	j = jsonl_new("lacking");
	jsonl_str(j, "side", side(r));
	jsonl_str(j, "order", id);
	jsonl_print(j);
}

/* ---- the ledger is behind: it learns ---- */
static int learn_order(void *arg, const char *id, bool closed, const struct buf *cms, struct err *e)
{
	struct reconcile *r = arg;
	struct work_order *o = mem_new(1, sizeof *o);
	int64_t now = clock_utc();
	struct ledger_order known = {0};
	int rc = ledger_order_get(r->o.ledger, id, &known, NULL, e);
	bool unknown = rc == 0, open = rc == 1 && known.state == ORDER_OPEN, older = false;

	if (rc >= 0)
		rc = work_order_read(o, cms->data, cms->len, r->o.ca.trust, e);
	if (rc == 0 && unknown)
		rc = ledger_order_add(r->o.ledger, o, cms, now, e);
	else if (rc == 0 && (older = known.version < o->version))
		rc = ledger_order_replace(r->o.ledger, o, cms, now, e);
	if (rc >= 0 && closed && (unknown || open))
		rc = ledger_order_close(r->o.ledger, id, ORDER_CLOSED, now, e);
	if (rc >= 0 && (unknown || older || (closed && open)))
		show_order(r, id);
	free(o);
	return rc < 0 ? -1 : 0;
}

static int ledger_learns(struct reconcile *r, struct err *e)
{
	struct learn l = { .ca = "", .actor = r->o.actor, .told = show_row, .arg = r,
			   .rules = { .site = r->o.settings.site, .ca = r->o.settings.id, .issuing = r->o.ca.issuing.cert,
				      .older = r->o.ca.older_issuing.n ? r->o.ca.older_issuing.cert : NULL, .now = clock_utc() } };
	int rc;

	if (signer_orders(r->s, learn_order, r, e) < 0)
		return -1;
	rc = learn_all(r->o.ledger, r->s, &l, r->at, e);
	r->certificates = l.n;
	return rc;
}

/* ---- the signer is behind: it learns ---- */
static int teach(struct reconcile *r)
{
	bool lacks[SIGNER_ROWS] = {0};

	if (r->n && r->rc == 0)
		r->rc = signer_take_over(r->s, r->page, r->n, r->apply, lacks, r->e);
	for (size_t i = 0; i < r->n; i++) {
		if (r->rc == 0 && lacks[i]) {
			r->certificates++;
			show_row(r, &r->page[i]);
		}
		signed_row_free(&r->page[i]);
	}
	r->n = 0;
	return r->rc;
}

/* Of what is over the ledger does not know whether it was active once: then it is taken for that, which holds its unit. */
static int teach_row(void *arg, const struct ledger_row *row)
{
	struct reconcile *r = arg;
	const struct ledger_request *q = &row->r;
	struct signed_row *out = &r->page[r->n];
	bool over = q->state == CA_SUPERSEDED || q->state == CA_REVOKED;

	if (!q->cert.len)
		return 0;
	*out = (struct signed_row){ .device = row->device, .id = q->id, .made = q->made, .ended = over,
				    .active = q->state == CA_ACTIVE || (q->state == CA_REVOKED && strcmp(row->reason, "lapsed") != 0) };
	snprintf(out->order, sizeof out->order, "%s", q->order);
	snprintf(out->unit, sizeof out->unit, "%s", q->unit);
	snprintf(out->renews, sizeof out->renews, "%s", q->renews);
	buf_set(&out->spki, q->spki.data, q->spki.len);
	buf_set(&out->der, q->cert.data, q->cert.len);
	buf_set(&out->encrypted_key, q->encrypted_key.data, q->encrypted_key.len);
	return ++r->n == SIGNER_ROWS ? teach(r) : 0;
}

struct known_orders {
	char (*id)[CA_ID_MAX + 1];
	bool *closed;
	uint32_t *version;
	size_t n;
	struct trust *trust;
};

static int remember_order(void *arg, const char *id, bool closed, const struct buf *cms, struct err *e)
{
	struct known_orders *k = arg;
	struct work_order *o = mem_new(1, sizeof *o);
	int rc = work_order_read(o, cms->data, cms->len, k->trust, e);

	k->version = mem_grow(k->version, k->n + 1, sizeof *k->version);
	k->version[k->n] = o->version;
	free(o);
	k->id = mem_grow(k->id, k->n + 1, sizeof *k->id);
	k->closed = mem_grow(k->closed, k->n + 1, sizeof *k->closed);
	snprintf(k->id[k->n], sizeof k->id[k->n], "%s", id);
	k->closed[k->n++] = closed;
	return rc;
}

struct teaching {
	struct reconcile *r;
	struct known_orders known;
};

static int teach_order(void *arg, const struct ledger_order *o, const struct buf *cms)
{
	struct teaching *t = arg;
	struct reconcile *r = t->r;
	size_t i;

	bool older;

	for (i = 0; i < t->known.n && strcmp(t->known.id[i], o->id) != 0; i++)
		;
	older = i < t->known.n && t->known.version[i] < o->version && !t->known.closed[i];

	if (i < t->known.n && !older && (t->known.closed[i] || o->state == ORDER_OPEN))
		return 0;
	show_order(r, o->id);
	if (r->apply && (older || i == t->known.n))
		r->rc = signer_order(r->s, cms, r->e);
	if (r->apply && r->rc == 0 && o->state != ORDER_OPEN)
		r->rc = signer_close(r->s, o->id, r->e);
	return r->rc;
}

static int signer_learns(struct reconcile *r, struct err *e)
{
	static const struct ledger_filter all = {0};
	struct teaching t = { .r = r, .known.trust = r->o.ca.trust };
	int rc = signer_orders(r->s, remember_order, &t.known, e);

	r->e = e;
	if (rc == 0)
		rc = ledger_order_list(r->o.ledger, teach_order, &t, e);
	free(t.known.id);
	free(t.known.closed);
	free(t.known.version);
	if (rc == 0 && r->rc == 0)
		rc = ledger_list(r->o.ledger, &all, teach_row, r, e);
	return rc < 0 || teach(r) < 0 ? -1 : 0;
}

/* ---- both ---- */
/* Signer first: a cut between the two leaves the ledger behind by nothing but a number, and this is done again. */
static int agree(struct reconcile *r, struct err *e)
{
	char detail[120];
	struct audit_state base;
	uint64_t position;

	snprintf(detail, sizeof detail, "%s lacked %zu certificates, %zu orders", side(r), r->certificates, r->orders);
	if (audit_last(r->o.ledger, &base, e) < 0 || signer_agree(r->s, r->at, &base, &position, e) < 0)
		return -1;
	FAULT("reconcile.agreed");
	if (ledger_signer_set(r->o.ledger, position, e) < 0 ||
	    audit_add(r->o.ledger, clock_utc(), r->o.actor, "reconcile", side(r), detail, e) < 0)
		return -1;
	return db_commit(r->o.ledger, e);
}

static int reconcile(struct reconcile *r, struct err *e)
{
	int rc;

	if (learn_compare(r->o.ledger, r->s, "", &r->accord, &r->at, &r->changes, e) < 0)
		return -1;
	if (r->accord == ACCORD)
		return 0;
	if (db_begin(r->o.ledger, e) < 0)
		return -1;
	rc = r->accord == LEDGER_BEHIND ? ledger_learns(r, e) : signer_learns(r, e);
	FAULT("reconcile.learnt");
	if (rc == 0 && r->apply && agree(r, e) == 0)
		return 0;
	db_rollback(r->o.ledger);
	return rc == 0 && !r->apply ? 0 : -1;
}

static void conclude(const struct reconcile *r)
{
	struct jsonl *j;

	if (cli_json(r->c)) {
		j = jsonl_new("result");
		jsonl_str(j, "behind", r->accord == ACCORD ? "none" : side(r));
		jsonl_int(j, "certificates", (int64_t)r->certificates);
		jsonl_int(j, "orders", (int64_t)r->orders);
		jsonl_bool(j, "applied", r->accord != ACCORD && r->apply);
		jsonl_print(j);
		return;
	}
	if (r->accord == ACCORD) {
		printf("%s: nothing to do\n", accord_text(r->accord));
		return;
	}
	printf("%s; it lacks %zu certificates and %zu work orders\n", accord_text(r->accord), r->certificates, r->orders);
	printf(r->apply ? "taken over; the CA issues again\n" : "nothing was changed; \"handsel-ca reconcile --apply\" takes them over\n");
}

enum cli_exit cmd_reconcile(const struct cli *c)
{
	struct reconcile *r = mem_new(1, sizeof *r);
	enum cli_exit code;
	struct err e;

	r->c = c;
	r->apply = cli_has(c, "apply");
	if (office_open(&r->o, c, &e) < 0) {
		free(r);
		return cli_fail(c, &e);
	}
	r->s = signer_start(r->o.dir, SIGNER_FOR_OPERATOR, &e);
	if (!r->s || reconcile(r, &e) < 0) {
		code = cli_fail(c, &e);
	} else {
		conclude(r);
		code = r->accord == ACCORD || r->apply ? EXIT_DONE : EXIT_NO;
	}
	signer_stop(r->s);
	office_close(&r->o);
	free(r);
	return code;
}
