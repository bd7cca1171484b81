/* buf, mem, secret, text, pack, file, err, reason. */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "device.h"
#include "file.h"
#include "mem.h"
#include "metrics.h"
#include "pack.h"
#include "secret.h"
#include "service.h"
#include "text.h"
#include "unit.h"

static void test_buf_grow(void)
{
	struct buf b = {0}, c = {0};

	CU_ASSERT_STRING_EQUAL(buf_text(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_fmt(&b, "%03d,", i);
	CU_ASSERT_EQUAL(b.len, 4000);
	CU_ASSERT_EQUAL(strlen(buf_text(&b)), 4000);
	CU_ASSERT(memcmp(b.data + 3996, "999,", 4) == 0);
	buf_drop(&b, 3996);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "999,");
	buf_drop(&b, 100);
	CU_ASSERT_EQUAL(b.len, 0);
	buf_set(&b, "a\0b", 3);
	buf_add(&c, "a\0b", 3);
	CU_ASSERT(buf_same(&b, &c));
	c.data[2] = 'c';
	CU_ASSERT_FALSE(buf_same(&b, &c));
	buf_free(&b);
	b = buf_steal(&c);
	CU_ASSERT_EQUAL(b.len, 3);
	CU_ASSERT_PTR_NULL(c.data);
	buf_free(&b);
	buf_free(&c);
}

static void test_buf_max(void)
{
	struct buf b = { .max = 10 };

	buf_str(&b, "0123456789");
	CU_ASSERT_FALSE(b.failed);
	buf_byte(&b, 'x');
	CU_ASSERT(b.failed);
	buf_drop(&b, 5);
	buf_str(&b, "y");
	CU_ASSERT(b.failed);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "56789");
	CU_ASSERT_PTR_NULL(buf_room(&b, SIZE_MAX));
	buf_clear(&b);
	CU_ASSERT_FALSE(b.failed);
	buf_fmt(&b, "%s", "0123456789a");
	CU_ASSERT(b.failed);
	buf_free(&b);
	CU_ASSERT_EQUAL(b.max, 10);
}

/* ---- wiped ----
 * The linker gives us the library's calls of free() and munmap(): what is in the memory is looked at while it is still there. */
void __real_free(void *p);
void __wrap_free(void *p);
int __real_munmap(void *p, size_t len);
int __wrap_munmap(void *p, size_t len);

static struct {
	const void *p;
	size_t len;
	bool back, zero;	/* it was given back, and there was nothing in it any more */
} watched;

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void watch(const void *p, size_t len)
{
	watched.p = p;
	watched.len = len;
	watched.back = watched.zero = false;
}

static void given_back(const void *p)
{
	if (!p || p != watched.p)
		return;
	watched.back = true;
	watched.zero = is_zero(p, watched.len);
	watched.p = NULL;
}

void __wrap_free(void *p)
{
	given_back(p);
	__real_free(p);
}

int __wrap_munmap(void *p, size_t len)
{
	given_back(p);
	return __real_munmap(p, len);
}

static void test_wiped(void)
{
	static const char pin[] = "correct horse battery staple";
	struct buf b = {0};
	struct secret *s;
	uint8_t raw[64];
	struct err e;

	memset(raw, 0xa5, sizeof raw);
	mem_wipe(raw + 1, sizeof raw - 2);
	CU_ASSERT(raw[0] == 0xa5 && is_zero(raw + 1, sizeof raw - 2) && raw[sizeof raw - 1] == 0xa5);
	mem_wipe(NULL, 1);

	buf_str(&b, pin);
	watch(b.data, b.cap);
	for (size_t before = b.cap; b.cap == before;)	/* it moves when it grows */
		buf_byte(&b, 'x');
	CU_ASSERT(watched.back && watched.zero);
	CU_ASSERT_EQUAL(memcmp(b.data, pin, strlen(pin)), 0);
	buf_drop(&b, b.len - 3);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "xxx");
	CU_ASSERT(is_zero(b.data + b.len, b.cap - b.len));
	buf_set(&b, pin, strlen(pin));
	buf_clear(&b);
	CU_ASSERT(b.data && is_zero(b.data, b.cap));
	buf_str(&b, pin);
	b.len = 1;	/* all that was ever in it, not only what it has now */
	watch(b.data, b.cap);
	buf_free(&b);
	CU_ASSERT(watched.back && watched.zero);

	s = secret_new(pin, strlen(pin), &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_STRING_EQUAL(secret_text(s), pin);
	watch(secret_text(s), LIMIT_SECRET + 1);
	secret_free(s);
	CU_ASSERT(watched.back && watched.zero);
}

static void test_hex(void)
{
	static const uint8_t bytes[] = { 0x00, 0x7f, 0x80, 0xff };
	uint8_t back[4] = { 1, 2, 3, 4 };
	char hex[9];

	text_hex(hex, bytes, 4);
	CU_ASSERT_STRING_EQUAL(hex, "007f80ff");
	CU_ASSERT_EQUAL(text_unhex(back, 4, "007f80f"), -1);
	CU_ASSERT_EQUAL(text_unhex(back, 4, "007f80ff0"), -1);
	CU_ASSERT_EQUAL(text_unhex(back, 4, "007f80fg"), -1);
	CU_ASSERT_EQUAL(text_unhex(back, 4, " 07f80ff"), -1);
	CU_ASSERT_EQUAL(back[0], 1);
	CU_ASSERT_EQUAL(text_unhex(back, 4, "007F80fF"), 0);
	CU_ASSERT(memcmp(back, bytes, 4) == 0);
}

static int unbase64(struct buf *out, const char *text)
{
	buf_clear(out);
	return text_unbase64(out, text, strlen(text));
}

static void test_base64(void)
{
	/* RFC 4648 section 10 */
	static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
	static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	struct buf b = {0};

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		buf_clear(&b);
		text_base64(&b, plain[i], strlen(plain[i]));
		CU_ASSERT_STRING_EQUAL(buf_text(&b), coded[i]);
		CU_ASSERT_EQUAL(unbase64(&b, coded[i]), 0);
		CU_ASSERT_STRING_EQUAL(buf_text(&b), plain[i]);
	}
	CU_ASSERT_EQUAL(unbase64(&b, "Zm9v\r\nYm\tFy \n"), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "foobar");
	CU_ASSERT_EQUAL(unbase64(&b, "Zm9vYg="), -1);
	CU_ASSERT_EQUAL(unbase64(&b, "Zm9vYg"), -1);
	CU_ASSERT_EQUAL(unbase64(&b, "Zm9v!mFy"), -1);
	CU_ASSERT_EQUAL(unbase64(&b, "Zm9vYg==Zm9v"), -1);
	CU_ASSERT_EQUAL(unbase64(&b, "Zm9-"), -1);
	buf_free(&b);
}

static void test_time(void)
{
	static const char *const bad[] = { "",
					   "2026-11-22",
					   "2026-11-22T14:02:07",
					   "2026-02-31T00:00:00Z",
					   "2026-11-22T14:02:07Zx",
					   "2026-11-22T24:00:01Z",
					   "2026-1-2T03:04:05Z",
					   "2026-11-22 14:02:07Z" };
	char text[TEXT_TIME];
	int64_t t = 7;

	text_time(text, 0);
	CU_ASSERT_STRING_EQUAL(text, "1970-01-01T00:00:00Z");
	text_time(text, 253402300799);		/* the 802.1AR end of time */
	CU_ASSERT_STRING_EQUAL(text, "9999-12-31T23:59:59Z");
	CU_ASSERT_EQUAL(text_untime(&t, text), 0);
	CU_ASSERT_EQUAL(t, 253402300799);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(text_untime(&t, bad[i]), -1);
	CU_ASSERT_EQUAL(text_untime(&t, "2028-02-29T00:00:00Z"), 0);
	CU_ASSERT_EQUAL(t, 1835395200);
}

static void test_uint(void)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "0x10", "18446744073709551616", "99999999999999999999999"
	};
	uint64_t v = 5;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(text_uint(&v, bad[i], UINT64_MAX), -1);
	CU_ASSERT_EQUAL(v, 5);
	CU_ASSERT_EQUAL(text_uint(&v, "18446744073709551615", UINT64_MAX), 0);
	CU_ASSERT_EQUAL(v, UINT64_MAX);
	CU_ASSERT_EQUAL(text_uint(&v, "100", 100), 0);
	CU_ASSERT_EQUAL(text_uint(&v, "101", 100), -1);
	CU_ASSERT_EQUAL(v, 100);
}

static void test_words(void)
{
	static const char *const list[] = { "serial", "expires", "approve", NULL };
	char field[5] = "old";

	CU_ASSERT(text_is_name("Acme Devices", 64));
	CU_ASSERT_FALSE(text_is_name("", 64));
	CU_ASSERT_FALSE(text_is_name(" Acme", 64));
	CU_ASSERT_FALSE(text_is_name("Acme ", 64));
	CU_ASSERT_FALSE(text_is_name("Ac\nme", 64));
	CU_ASSERT_FALSE(text_is_name("Acm\xc3\xa9", 64));
	CU_ASSERT_FALSE(text_is_name("12345", 4));
	CU_ASSERT(text_is_token("00012345", 64));
	CU_ASSERT(text_is_token("PX-2026_1.a", 64));
	CU_ASSERT_FALSE(text_is_token(".hidden", 64));
	CU_ASSERT_FALSE(text_is_token("../x", 64));
	CU_ASSERT_FALSE(text_is_token("a b", 64));
	CU_ASSERT_EQUAL(text_copy(field, sizeof field, "12345"), -1);
	CU_ASSERT_EQUAL(text_copy(field, sizeof field, ""), -1);
	CU_ASSERT_STRING_EQUAL(field, "old");
	CU_ASSERT_EQUAL(text_copy(field, sizeof field, "1234"), 0);
	CU_ASSERT_STRING_EQUAL(field, "1234");
	CU_ASSERT_STRING_EQUAL(text_nearest("serail", list), "serial");
	CU_ASSERT_STRING_EQUAL(text_nearest("expire", list), "expires");
	CU_ASSERT_PTR_NULL(text_nearest("quota", list));
	CU_ASSERT_PTR_NULL(text_nearest("", list));
}

static void test_pack(void)
{
	struct buf b = {0}, bytes = {0};
	struct unpack u;
	char text[8];
	uint8_t fixed[3];

	pack_u8(&b, 0xfe);
	pack_u32(&b, 0xfedcba98);
	pack_u64(&b, 0xfedcba9876543210);
	pack_str(&b, "seven77");
	pack_bytes(&b, "abc", 3);
	pack_bytes(&b, "", 0);
	for (size_t cut = 0; cut <= b.len; cut++) {	/* each shorter message fails as a whole */
		unpack_init(&u, b.data, cut);
		unpack_u8(&u);
		unpack_u32(&u);
		unpack_u64(&u);
		unpack_str(&u, text, sizeof text);
		unpack_fixed(&u, fixed, sizeof fixed);
		unpack_bytes(&u, &bytes);
		CU_ASSERT_EQUAL(unpack_done(&u), cut == b.len);
	}
	CU_ASSERT_STRING_EQUAL(text, "seven77");
	CU_ASSERT(memcmp(fixed, "abc", 3) == 0);
	unpack_init(&u, b.data, b.len);
	CU_ASSERT_EQUAL(unpack_u8(&u), 0xfe);
	CU_ASSERT_EQUAL(unpack_u32(&u), 0xfedcba98);
	CU_ASSERT_EQUAL(unpack_u64(&u), 0xfedcba9876543210);
	CU_ASSERT_FALSE(unpack_done(&u));	/* something is left over */
	unpack_str(&u, text, 7);		/* does not fit */
	CU_ASSERT(u.failed);
	CU_ASSERT_STRING_EQUAL(text, "");
	unpack_init(&u, "\0\0\0\3a\0b", 7);
	unpack_str(&u, text, sizeof text);
	CU_ASSERT(u.failed);
	unpack_init(&u, "\xff\xff\xff\xff", 4);
	unpack_bytes(&u, &bytes);
	CU_ASSERT(u.failed);
	buf_free(&b);
	buf_free(&bytes);
}

static void test_file(void)
{
	char path[FILE_PATH], sub[FILE_PATH], cut[FILE_PATH];
	const char *dir = unit_folder();
	struct buf b = {0};
	struct err e;
	struct stat st;

	CU_ASSERT_EQUAL(file_join(sub, &e, dir, "a b"), 0);
	CU_ASSERT_EQUAL(file_mkdir(sub, &e), 0);
	CU_ASSERT_EQUAL(file_mkdir(sub, &e), 0);
	CU_ASSERT_EQUAL(file_join(path, &e, sub, "key"), 0);
	CU_ASSERT_EQUAL(file_replace(path, "secret", 6, 0600, &e), 0);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(file_read_secret(&b, path, &e), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "secret");
	CU_ASSERT_EQUAL(file_replace(path, "open", 4, 0640, &e), 0);
	CU_ASSERT_EQUAL(file_read_secret(&b, path, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "chmod 600"));
	buf_clear(&b);
	CU_ASSERT_EQUAL(file_read(&b, path, 3, &e), -1);
	buf_clear(&b);
	CU_ASSERT_EQUAL(file_read(&b, path, 4, &e), 0);
	CU_ASSERT_EQUAL(file_read(&b, sub, 0, &e), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "folder"));
	CU_ASSERT_EQUAL(file_join(cut, &e, sub, "key.new-17-7ffe"), 0);
	CU_ASSERT_EQUAL(file_replace(cut, "sec", 3, 0600, &e), 0);
	CU_ASSERT_EQUAL(file_sweep(sub, &e), 0);
	CU_ASSERT_FALSE(file_exists(cut));
	CU_ASSERT(file_exists(path));
	CU_ASSERT_EQUAL(file_remove(path, &e), 0);
	CU_ASSERT_EQUAL(file_remove(path, &e), 0);
	CU_ASSERT_FALSE(file_exists(path));
	CU_ASSERT_EQUAL(file_sweep(path, &e), 0);
	CU_ASSERT_EQUAL(file_read(&b, path, 0, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_CONFIG);
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = 0;
	CU_ASSERT_EQUAL(file_join(sub, &e, path, "y"), -1);
	buf_free(&b);
}

/* A full storage: RLIMIT_FSIZE lets write() fail as a full disk does. What stood there before stays. */
static void test_file_full(void)
{
	char path[FILE_PATH], big[8192] = {0};
	struct buf b = {0};
	struct err e;
	int status;

	file_join(path, &e, unit_folder(), "state");
	CU_ASSERT_EQUAL(file_replace(path, "old", 3, 0600, &e), 0);
	if (fork() == 0) {
		const struct rlimit small = { 4096, 4096 };

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		_exit(file_replace(path, big, sizeof big, 0600, &e) == -1 && e.code == REASON_STORAGE ? 0 : 1);
	}
	wait(&status);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(file_read(&b, path, 0, &e), 0);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "old");
	buf_free(&b);
	CU_ASSERT_EQUAL(file_replace("/dev/full/x", "y", 1, 0600, &e), -1);
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
}

static void test_reason(void)
{
	struct err e;
	char big[2000];

	CU_ASSERT_STRING_EQUAL(reason_id(REASON_NO_LINK), "E01");
	CU_ASSERT_STRING_EQUAL(reason_id(REASON_NOT_LISTED), "E21");
	CU_ASSERT_EQUAL(reason_parse("E21"), REASON_NOT_LISTED);
	CU_ASSERT_EQUAL(reason_parse("E99"), REASON_OK);
	CU_ASSERT_EQUAL(reason_parse(""), REASON_OK);
	CU_ASSERT_EQUAL(reason_info((enum reason)99)->code, REASON_INTERNAL);
	for (int i = 1; i < 99; i++) {	/* what is in the list can be read back and is complete */
		const struct reason_info *info = reason_info((enum reason)i);

		CU_ASSERT_EQUAL(reason_parse(info->id), info->code);
		CU_ASSERT(info->text[0] && info->who[0] && info->action[0]);
	}
	memset(big, 'a', sizeof big);
	big[sizeof big - 1] = 0;
	CU_ASSERT_EQUAL(err_set(&e, REASON_USB, "%s", big), -1);
	CU_ASSERT_EQUAL(strlen(e.text), sizeof e.text - 1);
	CU_ASSERT_EQUAL(err_set(&e, REASON_USB, "inner"), -1);
	CU_ASSERT_EQUAL(err_prefix(&e, "slot %d", 3), -1);
	CU_ASSERT_STRING_EQUAL(e.text, "slot 3: inner");
	errno = ENOSPC;
	CU_ASSERT_EQUAL(err_errno(&e, REASON_INTERNAL, "writing"), -1);
	CU_ASSERT_EQUAL(e.code, REASON_STORAGE);
}

static void test_request_id(void)
{
	struct request_id a, b;

	request_id_new(&a, 1);
	request_id_new(&b, 1);
	CU_ASSERT(request_id_valid(&a));
	CU_ASSERT_STRING_NOT_EQUAL(a.id, b.id);
	a.id[3] = 'G';
	CU_ASSERT_FALSE(request_id_valid(&a));
	b.id[31] = 0;
	CU_ASSERT_FALSE(request_id_valid(&b));
}

static void test_metrics(void)
{
	struct metric_histogram h = {0};
	struct buf b = {0};

	metrics_family(&b, "x_total", METRIC_COUNTER, "What.");
	metrics_sample(&b, "x_total", METRIC_LABELS("a", "q\"b\\n\n", "c", ""), 3);
	metrics_one(&b, "y", METRIC_GAUGE, "Why.", 0.25);
	CU_ASSERT_STRING_EQUAL(buf_text(&b), "# HELP x_total What.\n# TYPE x_total counter\n"
		"x_total{a=\"q\\\"b\\\\n\\n\",c=\"\"} 3\n# HELP y Why.\n# TYPE y gauge\ny 0.25\n");
	buf_clear(&b);
	metrics_observe(&h, 1000);		/* the bounds are inclusive */
	metrics_observe(&h, 1001);
	metrics_observe(&h, 30000000);
	metrics_histogram(&b, "z", "Z.", &h);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&b), "z_bucket{le=\"0.001\"} 1\nz_bucket{le=\"0.0025\"} 2\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&b), "z_bucket{le=\"20\"} 2\nz_bucket{le=\"+Inf\"} 3\nz_sum 30.002001\nz_count 3\n"));
	buf_free(&b);
}

/* A service manager that is not there, or means another process, changes nothing. */
static void test_watchdog(void)
{
	struct service_watchdog w;
	char pid[16];

	unsetenv("WATCHDOG_USEC");
	service_watchdog_start(&w);
	CU_ASSERT_EQUAL(service_watchdog(&w, true, -1), -1);
	setenv("WATCHDOG_USEC", "4000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	service_watchdog_start(&w);
	CU_ASSERT_EQUAL(service_watchdog(&w, true, 77), 77);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	service_watchdog_start(&w);
	CU_ASSERT_EQUAL(service_watchdog(&w, true, -1), 2000);
	CU_ASSERT_EQUAL(service_watchdog(&w, true, 77), 77);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

UNIT_MAIN("base", { "buf: growing", test_buf_grow }, { "buf: maximum", test_buf_max }, { "wiped", test_wiped }, { "text: hex", test_hex },
	  { "text: base64", test_base64 }, { "text: time", test_time }, { "text: numbers", test_uint },
	  { "text: names, tokens, nearest word", test_words }, { "pack", test_pack }, { "file", test_file },
	  { "file: full storage", test_file_full }, { "reason and err", test_reason },
	  { "device: request id", test_request_id }, { "metrics", test_metrics }, { "watchdog", test_watchdog })
