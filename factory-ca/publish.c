#include <config.h>

#include "publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crl.h"
#include "fault.h"
#include "ledger.h"
#include "log.h"
#include "mem.h"

static const char *const names[CRL_KINDS] = { [CRL_ISSUING] = "issuing", [CRL_UNIT] = "unit" };

const char *crl_name(enum crl_of of)
{
	return names[of];
}

int crl_of_parse(enum crl_of *of, const char *name)
{
	for (int i = 0; i < CRL_KINDS; i++)
		if (strcmp(name, names[i]) == 0) {
			*of = (enum crl_of)i;
			return 0;
		}
	return -1;
}

/* ---- one list ---- */
/* A page of the ledger: *more as long as there may be another. */
static int tell_some(struct published *p, const char *ca, enum crl_of of, struct db *ledger, struct signer *s, bool *more, struct err *e)
{
	struct ledger_revocation *rows = mem_new(SIGNER_REVOKED_MAX, sizeof *rows);
	struct revoked_item *items = mem_new(SIGNER_REVOKED_MAX, sizeof *items);
	size_t n = 0;
	int rc = ledger_revocations(ledger, of == CRL_UNIT, p->told, rows, SIGNER_REVOKED_MAX, &n, e);

	for (size_t i = 0; i < n; i++) {
		snprintf(items[i].serial, sizeof items[i].serial, "%s", rows[i].serial);
		items[i].reason = crl_reason(rows[i].reason);
		items[i].date = rows[i].time;
		items[i].expires = rows[i].expires;
	}
	if (rc == 0 && n)
		rc = signer_revoked(s, ca, of, items, n, e);
	if (rc == 0 && n)
		p->told = rows[n - 1].n;
	*more = n == SIGNER_REVOKED_MAX;
	free(rows);
	free(items);
	return rc;
}

int crl_make(struct published *p, const char *ca, enum crl_of of, struct db *ledger, struct signer *s, uint64_t valid_s,
	     struct buf *der, struct err *e)
{
	struct crl c = {0};
	bool more = true;

	while (more)
		if (tell_some(p, ca, of, ledger, s, &more, e) < 0)
			return -1;
	if (signer_crl(s, ca, of, valid_s, der, e) < 0 || crl_parse(&c, der->data, der->len, e) < 0)
		return -1;
	p->number = c.number;
	p->this_update = c.this_update;
	p->next_update = c.next_update;
	p->renew = c.next_update - (int64_t)valid_s / 2;
	p->entries = c.n;
	crl_free(&c);
	return 0;
}

/* ---- what is due ---- */
static int is_due(const struct published *p, enum crl_of of, struct db *ledger, int64_t now, struct err *e)
{
	struct ledger_revocation one;
	size_t n = 0;

	if (now < p->this_update || now >= p->renew)
		return 1;	/* the clock may have been set back */
	return ledger_revocations(ledger, of == CRL_UNIT, p->told, &one, 1, &n, e) < 0 ? -1 : n > 0;
}

static int crl_path(char path[FILE_PATH], const struct ca_folder *ca, enum crl_of of, struct err *e)
{
	char file[32];

	snprintf(file, sizeof file, "crl/%s.crl", names[of]);
	return file_join(path, e, ca->path, file);
}

static int publish(struct published *p, const struct ca_folder *ca, enum crl_of of, struct db *ledger, struct signer *s,
		   uint64_t valid_s, struct err *e)
{
	struct published next = *p;
	char path[FILE_PATH];
	struct buf der = {0};
	int rc;

	if (crl_path(path, ca, of, e) < 0)
		return -1;
	rc = crl_make(&next, ca->name, of, ledger, s, valid_s, &der, e);
	FAULT("front.crl");
	if (rc == 0)
		rc = file_replace(path, der.data, der.len, 0644, e);
	if (rc == 0) {
		log_info("%s: CRL %" PRIu64 ", %zu certificates", path, next.number, next.entries);
		*p = next;
	}
	buf_free(&der);
	return rc;
}

int publisher_run(struct publisher *p, const struct ca_folder *ca, struct db *ledger, struct signer *s, uint64_t valid_s,
		  int64_t now, struct err *e)
{
	char folder[FILE_PATH];

	for (int of = 0; of < CRL_KINDS; of++) {
		int due = is_due(&p->list[of], (enum crl_of)of, ledger, now, e);

		if (due == 1 && (file_join(folder, e, ca->path, "crl") < 0 || file_mkdir(folder, e) < 0 ||
				 publish(&p->list[of], ca, (enum crl_of)of, ledger, s, valid_s, e) < 0))
			due = -1;
		if (due < 0)
			return -1;
	}
	return 0;
}

int publisher_get(const struct ca_folder *ca, const char *file, struct buf *der, struct err *e)
{
	char path[FILE_PATH], served[20];

	for (int of = 0; of < CRL_KINDS; of++) {
		snprintf(served, sizeof served, "%s.crl", names[of]);
		if (strcmp(file, served) == 0)
			return crl_path(path, ca, (enum crl_of)of, e) < 0 || file_read(der, path, LIMIT_CRL, e) < 0 ? -1 : 1;
	}
	return 0;
}
