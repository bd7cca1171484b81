/* wire.c - the network in between: relays TCP connections to a server and does one thing to the TLS records that pass. */
#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "mem.h"
#include "text.h"
#include "tls.h"

static const char usage[] =
	"usage: wire PORT READY-FILE LOG-FILE DEED WAY N\n"
	"\n"
	"Relays to 127.0.0.1:PORT, from a port that it writes into READY-FILE, and does the deed, once, to the N-th TLS record (from 1,\n"
	"counted over all connections) of one way: \"up\" to the server, \"down\" to the client. Each record that passes, and the\n"
	"deed, is a line of LOG-FILE. Ends with SIGTERM.\n"
	"\n"
	"  alert:LEVEL:CODE  puts an alert in the clear before the record\n"
	"  cut               ends the connection in order (FIN) before the record\n"
	"  half              ends it in the middle of the record\n"
	"  reset             RST\n"
	"  flip              changes its last byte\n"
	"  repeat            sends it twice\n"
	"  drop              leaves it out\n"
	"  none              looks on\n";

#define HEAD 5
#define RECORD_MAX (HEAD + 16384 + 2048)	/* RFC 5246 6.2.3 */

enum deed { ALERT, CUT, HALF, RESET, FLIP, REPEAT, DROP, NONE };

struct half {
	const char *name;
	int from, to;
	uint8_t record[RECORD_MAX];
	size_t len;
};

static struct {
	enum deed deed;
	uint8_t level, code;
	const char *way;
	uint64_t n, seen;
	FILE *log;
} it;

static volatile sig_atomic_t stop;

static void on_term(int signal)
{
	stop = 1;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(99);
}

/* false: the connection is to end. */
static bool give(struct half *h, const void *data, size_t len)
{
	for (const uint8_t *p = data; len;) {
		ssize_t n = send(h->to, p, len, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static void say(const char *way, const char *what, int type, size_t len)
{
	fprintf(it.log, "%s %s type %d %zu bytes\n", way, what, type, len);
	fflush(it.log);
}

static bool do_deed(struct half *h, size_t len)
{
	const uint8_t alert[] = { 21, 3, 3, 0, 2, it.level, it.code };
	const struct linger at_once = { 1, 0 };

	say(h->name, "DEED", h->record[0], len);
	switch (it.deed) {
	case ALERT:
		return give(h, alert, sizeof alert) && give(h, h->record, len);
	case CUT:
		return false;
	case HALF:
		give(h, h->record, len / 2);
		return false;
	case RESET:
		setsockopt(h->to, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		return false;
	case FLIP:
		h->record[len - 1] ^= 1;
		return give(h, h->record, len);
	case REPEAT:
		return give(h, h->record, len) && give(h, h->record, len);
	case DROP:
	case NONE:
		break;
	}
	return true;
}

/* Each whole record goes on, or what is done to it. */
static bool pass(struct half *h)
{
	ssize_t n = recv(h->from, h->record + h->len, sizeof h->record - h->len, 0);

	if (n <= 0)
		return false;
	h->len += (size_t)n;
	while (h->len >= HEAD) {
		size_t len = HEAD + (size_t)(h->record[3] << 8 | h->record[4]);
		bool good;

		must(len <= sizeof h->record, "this is no TLS");
		if (h->len < len)
			return true;
		if (it.deed != NONE && strcmp(h->name, it.way) == 0 && ++it.seen == it.n) {
			good = do_deed(h, len);
		} else {
			say(h->name, "record", h->record[0], len);
			good = give(h, h->record, len);
		}
		if (!good)
			return false;
		h->len -= len;
		memmove(h->record, h->record + len, h->len);
	}
	return true;
}

static void relay(int client, const char *port)
{
	struct half *up = mem_new(1, sizeof *up), *down = mem_new(1, sizeof *down);
	struct err e;
	bool going = true;
	int server = tcp_connect("127.0.0.1", port, clock_mono_ms() + 5000, &e);

	must(server >= 0, "the server is not there");
	*up = (struct half){ .name = "up", .from = client, .to = server };
	*down = (struct half){ .name = "down", .from = server, .to = client };
	say("-", "connection", 0, 0);
	while (going && !stop) {
		struct pollfd p[] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			going = pass(up);
		if (going && p[1].revents)
			going = pass(down);
	}
	close(server);
	close(client);
	free(up);
	free(down);
}

static void set_deed(const char *text)
{
	static const char *const words[] = { [ALERT] = "alert:", [CUT] = "cut", [HALF] = "half", [RESET] = "reset",
					     [FLIP] = "flip",	 [REPEAT] = "repeat", [DROP] = "drop", [NONE] = "none" };
	unsigned level, code;

	for (enum deed d = CUT; d <= NONE; d++)
		if (strcmp(text, words[d]) == 0) {
			it.deed = d;
			return;
		}
	must(sscanf(text, "alert:%u:%u", &level, &code) == 2, usage);
	it.deed = ALERT;
	it.level = (uint8_t)level;
	it.code = (uint8_t)code;
}

static int listen_any(const char *ready)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof a;
	char port[8];
	struct err e;
	int n;

	must(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 16) == 0 &&
		     getsockname(fd, (struct sockaddr *)&a, &len) == 0,
	     "cannot listen");
	n = snprintf(port, sizeof port, "%u", ntohs(a.sin_port));
	must(file_replace(ready, port, (size_t)n, 0644, &e) == 0, "cannot write the port");
	return fd;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_term };	/* without SA_RESTART: accept() and poll() return */
	int fd, client;

	if (argc != 7) {
		fputs(usage, stderr);
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	set_deed(argv[4]);
	it.way = argv[5];
	must(text_uint(&it.n, argv[6], 100000) == 0, usage);
	it.log = fopen(argv[3], "w");
	must(it.log, argv[3]);
	fd = listen_any(argv[2]);
	while (!stop) {
		client = accept(fd, NULL, NULL);
		if (client >= 0)
			relay(client, argv[1]);
	}
	fclose(it.log);
	close(fd);
	return 0;
}
