/* `unlock` on its socket: what a person sends, and that no octet of it can be another one or missing and still do the same. */
#include <config.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc.h"
#include "mem.h"
#include "pack.h"
#include "signer.h"
#include "unit.h"
#include "unlock.h"

static char *folder;
static int listener;
static struct {
	struct unlock_request r;
	char secret[64];
	bool called;
} got;

static int give(void *arg, struct unlock_request *r, struct err *e)
{
	got.r = *r;
	snprintf(got.secret, sizeof got.secret, "%s", secret_text(r->secret));
	secret_free(r->secret);
	got.r.secret = NULL;
	got.called = true;
	return strcmp(got.secret, "wrong") == 0 ? err_set(e, REASON_SECRET, "the passphrase is wrong") : 0;
}

static void *answer(void *arg)
{
	unlock_answer(listener, give, NULL);
	return NULL;
}

static void serve(pthread_t *t)
{
	got.called = false;
	CU_ASSERT_EQUAL_FATAL(pthread_create(t, NULL, answer, NULL), 0);
}

/* The bytes as they are; what the signer's side says, 0: nothing. */
static uint32_t send_bytes(uint32_t type, const void *data, size_t len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct buf out = {0}, in = {0};
	uint32_t said = 0;
	pthread_t t;
	struct err e;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), in_folder = open(folder, O_PATH | O_CLOEXEC);

	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/unlock.sock", in_folder);	/* a socket's name is short */
	serve(&t);
	buf_add(&out, data, len);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(in_folder);
	if (ipc_send(fd, type, &out, &e) < 0 || ipc_recv(fd, &said, &in, &e) != 1)
		said = 0;
	close(fd);
	pthread_join(t, NULL);
	buf_free(&out);
	buf_free(&in);
	return said;
}

static void test_asked(void)
{
	struct unlock_request r = { .ca = "plant", .last_try = true };
	pthread_t t;
	struct err e;

	r.secret = secret_new("correct", 7, &e);
	serve(&t);
	CU_ASSERT_EQUAL(unlock_ask(folder, &r, &e), 0);
	pthread_join(t, NULL);
	CU_ASSERT(got.called && got.r.last_try && !got.r.older);
	CU_ASSERT_STRING_EQUAL(got.r.ca, "plant");
	CU_ASSERT_STRING_EQUAL(got.secret, "correct");
	secret_free(r.secret);
	r.secret = secret_new("wrong", 5, &e);
	serve(&t);
	CU_ASSERT_EQUAL(unlock_ask(folder, &r, &e), -1);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(e.code, REASON_SECRET);
	secret_free(r.secret);
}

static bool is_the_same(void)
{
	return got.called && strcmp(got.r.ca, "plant") == 0 && !got.r.older && !got.r.last_try && strcmp(got.secret, "correct") == 0;
}

static void test_mutated(void)
{
	struct buf good = {0};

	pack_str(&good, "plant");
	pack_u8(&good, 0);
	pack_u8(&good, 0);
	pack_bytes(&good, "correct", 7);
	CU_ASSERT(send_bytes(SIGNER_UNLOCK, good.data, good.len) == SIGNER_DONE && is_the_same());
	for (size_t i = 0; i < good.len; i++)
		for (int flip = 1; flip < 256; flip <<= 1) {
			good.data[i] ^= (uint8_t)flip;
			send_bytes(SIGNER_UNLOCK, good.data, good.len);
			CU_ASSERT_FALSE(is_the_same());
			good.data[i] ^= (uint8_t)flip;
		}
	for (size_t n = 0; n < good.len; n++)
		CU_ASSERT(send_bytes(SIGNER_UNLOCK, good.data, n) != SIGNER_DONE && !got.called);
	buf_byte(&good, 0);
	CU_ASSERT(send_bytes(SIGNER_UNLOCK, good.data, good.len) == SIGNER_REFUSED && !got.called);
	good.len--;
	CU_ASSERT(send_bytes(SIGNER_SIGN, good.data, good.len) == SIGNER_REFUSED && !got.called);
	buf_free(&good);
}

static void test_begin(void)
{
	struct err e;

	folder = unit_folder();
	listener = unlock_listen(folder, &e);
	CU_ASSERT_FATAL(listener >= 0);
}

static void test_end(void)
{
	unlock_end(listener, folder);
	unit_remove(folder);
}

UNIT_MAIN("unlock", { "begin", test_begin }, { "asked", test_asked }, { "mutated", test_mutated }, { "end", test_end })
