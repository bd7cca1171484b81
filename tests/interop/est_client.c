/* usage: est_LIBRARY PORT ROOT CERT KEY TLS-VERSION OPERATION NEW-KEY
 * Makes a new key, asks the node on this machine for its certificate, writes the body of the answer to stdout. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "est_client.h"

#define HEAD_END "\r\n\r\n"

static int connect_to(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	perror("connect");
	exit(1);
}

static int ask(const char *name, const char *operation, const char *base64)
{
	char head[500];
	int n = snprintf(head, sizeof head,
			 "POST /.well-known/est/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/pkcs10\r\n"
			 "Content-Transfer-Encoding: base64\r\nContent-Length: %zu\r\n\r\n",
			 operation, name, strlen(base64));

	return stack_write(head, (size_t)n) < 0 || stack_write(base64, strlen(base64)) < 0 ? -1 : 0;
}

/* The head, and as much body as its Content-Length says. Returns the start of the body, NULL. */
static const char *read_answer(char *answer, size_t size)
{
	const char *length, *body = NULL;
	size_t have = 0;
	int n = 1;

	while (n > 0 && have + 1 < size) {
		n = stack_read(answer + have, size - 1 - have);
		have += n > 0 ? (size_t)n : 0;
		answer[have] = 0;
		body = strstr(answer, HEAD_END);
		length = strstr(answer, "Content-Length: ");
		if (!body || !length || length > body)
			continue;
		body += strlen(HEAD_END);
		if (have >= (size_t)(body - answer) + (size_t)atoi(length + strlen("Content-Length: ")))
			return body;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static char base64[4096], answer[16384];
	struct est_client c = { .name = "localhost" };
	const char *body;
	int ok;

	if (argc != 8) {
		fputs("usage: est_LIBRARY PORT ROOT CERT KEY TLS-VERSION OPERATION NEW-KEY\n", stderr);
		return 2;
	}
	c.root = argv[2];
	c.cert = argv[3];
	c.key = argv[4];
	c.version = argv[5];
	if (stack_request(argv[7], base64, sizeof base64) < 0) {
		fputs("no request\n", stderr);
		return 1;
	}
	c.fd = connect_to(argv[1]);
	if (stack_open(&c) < 0)
		return 1;
	body = ask(c.name, argv[6], base64) < 0 ? NULL : read_answer(answer, sizeof answer);
	ok = body && strncmp(answer, "HTTP/1.1 200 ", strlen("HTTP/1.1 200 ")) == 0;
	fputs(ok ? body : answer, ok ? stdout : stderr);
	stack_close();
	close(c.fd);
	return !ok;
}
