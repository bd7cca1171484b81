/* test_labels.c - labels against devices, from a file and from a scanner. */
#include <config.h>

#include "labels.h"

#include <pthread.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "unit.h"

static struct labels *from(const char *text, struct err *e)
{
	char path[FILE_PATH];
	const char *dir = unit_folder();
	struct labels *l;

	if (file_join(path, e, dir, "labels") < 0 || file_replace(path, text, strlen(text), 0600, e) < 0)
		exit(99);
	l = labels_open(path, e);
	unlink(path);
	rmdir(dir);
	return l;
}

static void test_file(void)
{
	char scanned[LIMIT_SERIAL + 1];
	struct err e = {0};
	struct labels *l = from("# shift 2\n\n1-1 00000001\nleft 00000002  # a slot\r\n00000003\n00000004", &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	CU_ASSERT_EQUAL(labels_check(l, "1-1", "1-1", "00000001", 0, scanned, &e), 0);
	CU_ASSERT_STRING_EQUAL(scanned, "00000001");
	CU_ASSERT_EQUAL(labels_check(l, "left", "1-2", "00000002", 0, scanned, &e), 0);
	CU_ASSERT_EQUAL(labels_check(l, "1-7", "1-7", "00000004", 0, scanned, &e), 0);
	CU_ASSERT_EQUAL(labels_check(l, "1-8", "1-8", "00000003", 0, scanned, &e), 0);
	labels_free(l);
}

static void refused(struct labels *l, const char *port, const char *serial, const char *label, const char *says)
{
	char scanned[LIMIT_SERIAL + 1];
	struct err e = {0};

	CU_ASSERT_EQUAL(labels_check(l, port, port, serial, 0, scanned, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_LABEL);
	CU_ASSERT_STRING_EQUAL(scanned, label);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, says));
}

static void test_differs(void)
{
	char scanned[LIMIT_SERIAL + 1];
	struct err e = {0};
	struct labels *l = from("1-1 00000001\n1-2 00000002\n00000003\n", &e);

	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	refused(l, "1-1", "00000009", "00000001", "the label says 00000001, the device says 00000009");
	refused(l, "1-1", "00000002", "00000001", "the device says 00000002");
	refused(l, "1-5", "00000002", "", "scanned for place 1-2");
	refused(l, "1-5", "00000009", "", "labels without a device: 00000001, 00000002, 00000003");
	CU_ASSERT_EQUAL(labels_check(l, "1-5", "1-5", "00000003", 0, scanned, &e), 0);
	refused(l, "1-6", "00000003", "", "already used");
	labels_release(l, "00000003");
	CU_ASSERT_EQUAL(labels_check(l, "1-6", "1-6", "00000003", 0, scanned, &e), 0);
	labels_free(l);
}

static void test_malformed(void)
{
	static const char *const bad[] = { "00000001\n00000001\n", "1-1 00000001 x\n", "1-1 0000/0001\n", ".hidden\n" };
	struct err e;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		CU_ASSERT_PTR_NULL(from(bad[i], &e));
		CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, i ? ":1:" : ":2:"));
	}
	CU_ASSERT_PTR_NULL(labels_open("/nonexistent/labels", &e));
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
}

static void *scan(void *arg)
{
	struct labels *l = arg;
	struct err e;

	usleep(20000);
	CU_ASSERT_EQUAL(labels_line(l, "00000007", 1, &e), 0);
	CU_ASSERT_EQUAL(labels_line(l, "00000008 2 3", 2, &e), -1);
	CU_ASSERT_EQUAL(labels_line(l, "1-3 00000006", 3, &e), 0);
	return NULL;
}

/* The scanner speaks after the device: the slot waits. A bad line does no harm. */
static void test_scanner(void)
{
	char scanned[LIMIT_SERIAL + 1];
	struct err e = {0};
	struct labels *l = labels_open("-", &e);
	pthread_t t;

	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	pthread_create(&t, NULL, scan, l);
	CU_ASSERT_EQUAL(labels_check(l, "1-1", "1-1", "00000007", clock_mono_ms() + 5000, scanned, &e), 0);
	CU_ASSERT_EQUAL(labels_check(l, "1-3", "1-3", "00000006", clock_mono_ms() + 5000, scanned, &e), 0);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(labels_check(l, "1-1", "1-1", "00000005", clock_mono_ms() + 50, scanned, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_LABEL);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "not scanned in time"));
	CU_ASSERT(labels_scanning(l));
	labels_end(l);
	CU_ASSERT(!labels_scanning(l));
	CU_ASSERT_EQUAL(labels_check(l, "1-1", "1-1", "00000005", clock_mono_ms() + 60000, scanned, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "no label does"));
	labels_free(l);
}

static void *skip(void *arg)
{
	while (!labels_skip(arg, "left"))
		usleep(1000);
	return NULL;
}

/* A card gives up the unit that waits for its label, and no other. */
static void test_skip(void)
{
	char scanned[LIMIT_SERIAL + 1];
	struct err e = {0};
	struct labels *l = labels_open("-", &e);
	pthread_t t;

	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	pthread_create(&t, NULL, skip, l);
	CU_ASSERT_EQUAL(labels_check(l, "left", "1-1", "00000007", clock_mono_ms() + 60000, scanned, &e), -1);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(e.code, REASON_LABEL);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "given up"));
	CU_ASSERT(!labels_skip(l, "left"));
	labels_free(l);
}

UNIT_MAIN("labels", { "file", test_file }, { "differs", test_differs }, { "malformed", test_malformed },
	  { "scanner", test_scanner }, { "skip", test_skip })
