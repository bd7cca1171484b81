#include <config.h>

#include "import.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allowlist.h"
#include "audit.h"
#include "mem.h"

/* Also a manifest that was imported before: its devices may have left the list since, and been shipped anew. */
static int refuse_older(struct db *db, const struct manifest *m, const struct device_id *d, struct err *e)
{
	uint8_t known[SHA256_LEN];
	uint64_t sequence;
	int rc = store_shipped_get(db, d, &sequence, known, e);

	if (rc == 1 && sequence > m->sequence)
		return err_set(e, REASON_BLOCKED,
			       "manifest %" PRIu64 " is older than manifest %" PRIu64 ", which names device %s, too; nothing was "
			       "imported. What of it is missing in the allowlist, and shall be let in, is added there by hand",
			       m->sequence, sequence, d->serial);
	return rc < 0 ? -1 : 0;
}

int import_record(struct db *db, const struct manifest *m, const uint8_t sha256[SHA256_LEN], const char *actor, int64_t now,
		  struct err *e)
{
	uint8_t known[SHA256_LEN];
	char subject[40], detail[60];
	const char *maker = m->entry[0].device.manufacturer;
	int rc = store_manifest_get(db, maker, m->sequence, known, e);

	if (rc < 0)
		return -1;
	if (rc == 1 && memcmp(known, sha256, SHA256_LEN) != 0)
		return err_set(e, REASON_BLOCKED,
			       "another manifest %" PRIu64 " of \"%s\" was imported before; ask the manufacturer which one is right",
			       m->sequence, maker);
	for (size_t i = 0; i < m->n; i++)
		if (refuse_older(db, m, &m->entry[i].device, e) < 0)
			return -1;
	if (rc == 1)
		return 0;
	for (size_t i = 0; i < m->n; i++)
		if (store_shipped_put(db, &m->entry[i], m->sequence, e) < 0)
			return -1;
	snprintf(subject, sizeof subject, "manifest %" PRIu64, m->sequence);
	snprintf(detail, sizeof detail, "devices=%zu", m->n);
	if (store_manifest_add(db, maker, m, sha256, now, e) < 0)
		return -1;
	return audit_add(db, now, actor, "import", subject, detail, e);
}

static int by_serial(const void *x, const void *y)
{
	return strcmp(((const struct allow_entry *)x)->device.serial, ((const struct allow_entry *)y)->device.serial);
}

static bool covers(const struct allow_entry *a, const struct device_id *d)
{
	return a->kind == ALLOW_SERIAL && (!a->device.model[0] || strcmp(a->device.model, d->model) == 0) &&
	       (!a->device.manufacturer[0] || strcmp(a->device.manufacturer, d->manufacturer) == 0);
}

/* The entries are sorted by serial. */
static bool is_listed(const struct allowlist *al, const struct device_id *d)
{
	struct allow_entry key = { .device = *d };
	const struct allow_entry *hit = al->n ? bsearch(&key, al->entry, al->n, sizeof key, by_serial) : NULL;

	if (!hit)
		return false;
	while (hit > al->entry && by_serial(hit - 1, &key) == 0)
		hit--;
	for (; hit < al->entry + al->n && by_serial(hit, &key) == 0; hit++)
		if (covers(hit, d))
			return true;
	return false;
}

int import_append(struct buf *text, const char *file, const struct makers *makers, const struct manifest *m, size_t *added,
		  struct err *e)
{
	struct device_id *missing = mem_new(m->n + 1, sizeof *missing);
	struct allowlist al = {0};
	char comment[200], day[TEXT_TIME];
	int rc;

	*added = 0;
	allowlist_parse(&al, file, text, makers, 0);
	if (al.problems.errors) {
		rc = allowlist_refuse(&al, e);
		goto out;
	}
	if (al.n)
		qsort(al.entry, al.n, sizeof *al.entry, by_serial);
	for (size_t i = 0; i < m->n; i++)
		if (!is_listed(&al, &m->entry[i].device))
			missing[(*added)++] = m->entry[i].device;
	text_time(day, m->time);
	snprintf(comment, sizeof comment, "manifest %" PRIu64 " of %.10s, %zu device%s", m->sequence, day, *added,
		 *added == 1 ? "" : "s");
	rc = allowlist_append(text, file, makers, missing, *added, comment, e);
out:
	allowlist_free(&al);
	free(missing);
	return rc;
}
