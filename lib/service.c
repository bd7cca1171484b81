#include <config.h>

#include "service.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "limits.h"
#include "text.h"

#define FIRST_FD 3		/* sd_listen_fds(3) */
#define STATUS_MAX 300
#define WATCHDOG_MAX_US (86400 * 1000000ull)

/* ---- what we tell ---- */
void service_notify(const char *fmt, ...)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	char state[STATUS_MAX + 100];
	va_list ap;
	int fd;

	if (len == 0 || len >= sizeof to.sun_path)
		return;
	va_start(ap, fmt);
	vsnprintf(state, sizeof state, fmt, ap);
	va_end(ap);
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')	/* an abstract name */
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A manager that is too busy to read is not waited for: the next sign of life comes soon. */
	sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

void service_ready(const char *status)
{
	service_notify("READY=1\nSTATUS=%.*s", STATUS_MAX, status);
}

void service_reloading(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	service_notify("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading the configuration again",
		       (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

void service_stopping(void)
{
	service_notify("STOPPING=1\nSTATUS=answering what was asked, then ending");
}

/* ---- watchdog ---- */
/* A variable that the manager means for this process alone, by the pid in the other one. */
static bool is_ours(const char *pid_name)
{
	const char *pid = getenv(pid_name);
	uint64_t n;

	return pid && text_uint(&n, pid, INT32_MAX) == 0 && (pid_t)n == getpid();
}

void service_watchdog_start(struct service_watchdog *w)
{
	const char *usec = getenv("WATCHDOG_USEC");
	uint64_t n;

	*w = (struct service_watchdog){0};
	if (!usec || text_uint(&n, usec, WATCHDOG_MAX_US) < 0 || n < 2000 || (getenv("WATCHDOG_PID") && !is_ours("WATCHDOG_PID")))
		return;
	w->every_ms = (int64_t)n / 2000;	/* half of it, as sd_watchdog_enabled(3) advises */
	w->next_ms = clock_mono_ms();
}

int service_watchdog(struct service_watchdog *w, bool alive, int ms)
{
	int64_t now = clock_mono_ms(), left;

	if (!w->every_ms)
		return ms;
	if (now >= w->next_ms) {
		if (alive)
			service_notify("WATCHDOG=1");
		w->next_ms = now + w->every_ms;
	}
	left = w->next_ms - now;
	return ms < 0 || left < ms ? (int)left : ms;
}

/* ---- what we get ---- */
static int check_socket(int fd, struct err *e)
{
	int listens = 0, type = 0, domain = 0;
	socklen_t len = sizeof listens;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		listens = 0;
	if (!listens || type != SOCK_STREAM || (domain != AF_INET && domain != AF_INET6))
		return err_set(e, REASON_CONFIG, "descriptor %d of LISTEN_FDS is no listening TCP socket; write ListenStream=PORT and "
			       "Accept=no in the .socket unit", fd);
	/* not blocking: a client that leaves between poll() and accept() must not hold us there */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(e, REASON_CONFIG, "descriptor %d of LISTEN_FDS", fd);
	return 0;
}

static void take_name(char name[64], const char **names)
{
	size_t n = *names ? strcspn(*names, ":") : 0;

	snprintf(name, 64, "%.*s", (int)n, *names ? *names : "");
	if (*names)
		*names += n + ((*names)[n] == ':');
}

int service_sockets_take(struct service_sockets *s, struct err *e)
{
	const char *count = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	bool ours = is_ours("LISTEN_PID");
	uint64_t n = 0;
	int rc = 0;

	*s = (struct service_sockets){0};
	if (ours && count && text_uint(&n, count, SERVICE_SOCKETS) < 0)
		rc = err_set(e, REASON_CONFIG, "LISTEN_FDS is \"%.20s\": this program takes up to %d sockets", count, SERVICE_SOCKETS);
	for (; rc == 0 && s->n < n; s->n++) {
		s->of[s->n].fd = FIRST_FD + (int)s->n;
		take_name(s->of[s->n].name, &names);
		rc = check_socket(s->of[s->n].fd, e);
	}
	unsetenv("LISTEN_FDS");		/* they are not for what we start */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return rc;
}

int service_socket(struct service_sockets *s, const char *name)
{
	int fd;

	for (size_t i = 0; i < s->n; i++)
		if (s->of[i].fd >= 0 && (*name ? strcmp(s->of[i].name, name) == 0 : strcmp(s->of[i].name, SERVICE_METRICS) != 0)) {
			fd = s->of[i].fd;
			s->of[i].fd = -1;
			return fd;
		}
	return -1;
}

void service_sockets_close(struct service_sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->of[i].fd >= 0)
			close(s->of[i].fd);
	s->n = 0;
}

bool service_credential(char path[FILE_PATH], const char *name)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	struct err e;

	return dir && *dir && text_is_token(name, LIMIT_NAME) && file_join(path, &e, dir, name) == 0 && file_exists(path);
}
