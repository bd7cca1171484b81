/* test_journal.c - the journal of a station: what is written is read, what is spoilt is set aside, cuts are taken once. */
#include <config.h>

#include "journal.h"

#include <string.h>

#include "file.h"
#include "unit.h"

static struct journal_entry sample(const char *serial)
{
	struct journal_entry x = { .phase = PHASE_ISSUE, .start = 1790000000, .time = 1790000042, .tries = 3 };

	memset(x.record, 'a', RECORD_ID_LEN);
	strcpy(x.order, "A-1007");
	strcpy(x.slot, "left");
	strcpy(x.port, "1-4.2");
	strcpy(x.device.manufacturer, "it's \\ \"Acme\": # {1}");
	strcpy(x.device.model, "gateway-b");
	strcpy(x.device.serial, serial);
	request_id_new(&x.request, 7);
	return x;
}

static void same(const struct journal_entry *a, const struct journal_entry *b)
{
	CU_ASSERT_STRING_EQUAL(a->record, b->record);
	CU_ASSERT_STRING_EQUAL(a->order, b->order);
	CU_ASSERT_STRING_EQUAL(a->slot, b->slot);
	CU_ASSERT_STRING_EQUAL(a->port, b->port);
	CU_ASSERT_STRING_EQUAL(a->device.manufacturer, b->device.manufacturer);
	CU_ASSERT_STRING_EQUAL(a->device.model, b->device.model);
	CU_ASSERT_STRING_EQUAL(a->device.serial, b->device.serial);
	CU_ASSERT_STRING_EQUAL(a->request.id, b->request.id);
	CU_ASSERT_EQUAL(a->request.generation, b->request.generation);
	CU_ASSERT_EQUAL(a->phase, b->phase);
	CU_ASSERT_EQUAL(a->start, b->start);
	CU_ASSERT_EQUAL(a->time, b->time);
	CU_ASSERT_EQUAL(a->tries, b->tries);
	CU_ASSERT_EQUAL(a->label_given, b->label_given);
	CU_ASSERT_EQUAL(memcmp(a->labelled, b->labelled, SHA256_LEN), 0);
}

static void test_round_trip(void)
{
	const char *const serials[] = { "00000001", "" };
	struct err e;

	for (size_t i = 0; i < sizeof serials / sizeof *serials; i++) {
		struct journal_entry x = sample(serials[i]), y;
		struct buf text = {0};

		if (!serials[i][0]) {
			memset(&x.request, 0, sizeof x.request);
			memset(&x.device, 0, sizeof x.device);
			x.label_given = 2;
			memset(x.labelled, 0x1a, sizeof x.labelled);
		}
		journal_entry_write(&x, &text);
		CU_ASSERT_EQUAL(journal_entry_read(&y, "x.yaml", &text, &e), 0);
		same(&x, &y);
		buf_free(&text);
	}
}

/* A file that is cut anywhere, or has any bit of it turned, is refused. */
static void test_spoilt(void)
{
	struct journal_entry x = sample("00000001"), y;
	struct buf text = {0}, part = {0};
	struct err e = {0};

	journal_entry_write(&x, &text);
	for (size_t n = 0; n < text.len - 1; n++) {	/* the last line feed says nothing */
		buf_set(&part, text.data, n);
		CU_ASSERT_EQUAL(journal_entry_read(&y, "x.yaml", &part, &e), -1);
		CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	}
	for (size_t n = 0; n < text.len - 1; n++)
		for (int bit = 0; bit < 8; bit++) {
			buf_set(&part, text.data, text.len);
			part.data[n] ^= (uint8_t)(1 << bit);
			if (journal_entry_read(&y, "x.yaml", &part, &e) == 0)
				same(&x, &y);	/* quotes and blanks around the hash itself */
		}
	buf_free(&text);
	buf_free(&part);
}

static void test_folder(void)
{
	char *dir = unit_folder(), path[2 * FILE_PATH];
	struct journal_entry x = sample("00000001"), y = sample("00000002"), out;
	struct journal *j;
	struct err e = {0};

	memset(y.record, 'b', RECORD_ID_LEN);
	y.time--;
	j = journal_open(dir, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(j);
	CU_ASSERT_EQUAL(journal_count(j), 0);
	CU_ASSERT_PTR_NULL(journal_open(dir, &e));	/* one process at a time */
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	CU_ASSERT_EQUAL(journal_write(j, &x, &e), 0);
	CU_ASSERT_EQUAL(journal_write(j, &y, &e), 0);
	journal_close(j);

	snprintf(path, sizeof path, "%s/journal/cccccccccccccccccccccccccccccccc.yaml", dir);
	CU_ASSERT_EQUAL(file_replace(path, "version: 1\n", 11, 0600, &e), 0);
	j = journal_open(dir, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(j);
	CU_ASSERT_EQUAL_FATAL(journal_count(j), 2);
	same(journal_cut(j, 0), &y);			/* the older one first */
	same(journal_cut(j, 1), &x);
	CU_ASSERT_FALSE(file_exists(path));
	strcat(path, ".damaged");
	CU_ASSERT(file_exists(path));

	CU_ASSERT_FALSE(journal_take(j, "other", "00000001", &out));
	CU_ASSERT(journal_take(j, "A-1007", "00000001", &out));
	same(&out, &x);
	CU_ASSERT_FALSE(journal_take(j, "A-1007", "00000001", &out));
	journal_put_back(j, &x);
	CU_ASSERT_EQUAL(journal_remove(j, x.record, &e), 0);
	CU_ASSERT_FALSE(journal_take(j, "A-1007", "00000001", &out));
	CU_ASSERT_EQUAL(journal_remove(j, x.record, &e), 0);	/* it is not there: done */
	journal_close(j);
	j = journal_open(dir, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(j);
	CU_ASSERT_EQUAL(journal_count(j), 1);
	journal_close(j);
	unit_remove(dir);
}

UNIT_MAIN("journal", { "round trip", test_round_trip }, { "spoilt", test_spoilt }, { "folder", test_folder })
