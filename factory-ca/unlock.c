#include <config.h>

#include "unlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "file.h"
#include "ipc.h"
#include "log.h"
#include "mem.h"
#include "pack.h"
#include "signer.h"

#define SOCKET_NAME "unlock.sock"
#define PATIENCE_S 2	/* for the words of somebody who has connected: the signer signs nothing meanwhile */

/* An address holds some 100 bytes, and a path more. */
static int address(struct sockaddr_un *a, int *folder, const char *dir, struct err *e)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*folder < 0)
		return err_errno(e, REASON_CONFIG, "cannot open %s", dir);
	snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/" SOCKET_NAME, *folder);
	return 0;
}

static int local_socket(struct err *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_errno(e, REASON_INTERNAL, "socket") : fd;
}

/* ---- the signer's side ---- */
static int bind_alone(int fd, const struct sockaddr_un *a, struct err *e)
{
	mode_t before;
	int rc;

	if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0)
		return UNLOCK_NOBODY;
	unlink(a->sun_path);	/* of a signer that was killed */
	before = umask(0177);
	rc = bind(fd, (const struct sockaddr *)a, sizeof *a);
	umask(before);
	return rc < 0 || listen(fd, 1) < 0 ? err_errno(e, REASON_STORAGE, "cannot make " SOCKET_NAME) : 0;
}

int unlock_listen(const char *dir, struct err *e)
{
	struct sockaddr_un a;
	int folder, fd, rc;

	if (address(&a, &folder, dir, e) < 0)
		return -1;
	fd = local_socket(e);
	rc = fd < 0 ? -1 : bind_alone(fd, &a, e);
	close(folder);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

void unlock_end(int fd, const char *dir)
{
	char path[FILE_PATH];
	struct err e;

	if (fd < 0)
		return;
	close(fd);
	if (file_join(path, &e, dir, SOCKET_NAME) == 0)
		unlink(path);
}

static bool is_owner(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static int read_request(struct unlock_request *r, uint32_t type, const struct buf *in, struct err *e)
{
	struct buf secret = {0};
	struct unpack u;
	uint8_t older, last;

	unpack_init(&u, in->data, in->len);
	unpack_str(&u, r->ca, sizeof r->ca);
	older = unpack_u8(&u);
	last = unpack_u8(&u);
	unpack_bytes(&u, &secret);
	r->older = older == 1;
	r->last_try = last == 1;
	if (type != SIGNER_UNLOCK || older > 1 || last > 1 || !unpack_done(&u))
		err_set(e, REASON_REQUEST, "protocol-signer 5.2: not a request to unlock");
	else
		r->secret = secret_new(secret.data, secret.len, e);
	buf_free(&secret);
	return r->secret ? 0 : -1;
}

void unlock_answer(int fd, int (*give)(void *arg, struct unlock_request *r, struct err *e), void *arg)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct buf in = { .max = LIMIT_SECRET + CA_ID_MAX + 64 }, out = {0};
	struct unlock_request r = {0};
	struct err why, lost;
	uint32_t type;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (peer < 0)
		return;
	setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (is_owner(peer) && ipc_recv(peer, &type, &in, &lost) == 1) {
		if (read_request(&r, type, &in, &why) == 0 && give(arg, &r, &why) == 0) {
			ipc_send(peer, SIGNER_DONE, &out, &lost);
		} else {
			log_err(&why, "unlock");
			pack_u32(&out, why.code);
			pack_str(&out, why.text);
			ipc_send(peer, SIGNER_REFUSED, &out, &lost);
		}
	}
	buf_free(&in);
	buf_free(&out);
	close(peer);
}

/* ---- the person's side ---- */
static int talk(int fd, const struct unlock_request *r, struct err *e)
{
	struct buf out = {0}, in = {0};
	char text[sizeof e->text];
	struct unpack u;
	uint32_t type = 0;
	int rc = -1;

	pack_str(&out, r->ca);
	pack_u8(&out, r->older);
	pack_u8(&out, r->last_try);
	pack_bytes(&out, secret_text(r->secret), strlen(secret_text(r->secret)));
	if (ipc_send(fd, SIGNER_UNLOCK, &out, e) < 0 || ipc_recv(fd, &type, &in, e) != 1) {
		err_set(e, REASON_CA_UNAVAILABLE, "the signer gave no answer; its messages tell why");
	} else if (type == SIGNER_REFUSED) {
		enum reason code;

		unpack_init(&u, in.data, in.len);
		code = (enum reason)unpack_u32(&u);
		unpack_str(&u, text, sizeof text);
		err_set(e, unpack_done(&u) ? code : REASON_INTERNAL, "%s", text);
	} else {
		rc = 0;
	}
	buf_free(&out);
	buf_free(&in);
	return rc;
}

int unlock_ask(const char *dir, const struct unlock_request *r, struct err *e)
{
	struct sockaddr_un a;
	int folder, fd, rc = -1;

	if (address(&a, &folder, dir, e) < 0)
		return -1;
	fd = local_socket(e);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) < 0)
		err_set(e, REASON_CA_UNAVAILABLE, "no signer waits in %s: \"handsel-ca serve\" does not run there, or its keys need no passphrase and no PIN",
			dir);
	else if (fd >= 0)
		rc = talk(fd, r, e);
	if (fd >= 0)
		close(fd);
	close(folder);
	return rc;
}
