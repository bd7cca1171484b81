/* bare HOST PORT SNI ROOT CERT KEY - one mutual TLS 1.3 connection with GnuTLS and one GET, nothing else: the least that
 * an agent on this library can be. */
#include <config.h>

#include <gnutls/gnutls.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bare: %s: %s\n", what, gnutls_strerror(rc));
	exit(1);
}

static int dial(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &ai))
		return -1;
	fd = socket(ai->ai_family, SOCK_STREAM, 0);
	if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	return fd;
}

int main(int argc, char **argv)
{
	static const char get[] = "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
	gnutls_certificate_credentials_t cred;
	gnutls_session_t s;
	char answer[4096];
	int fd, rc;

	if (argc != 7)
		return 2;
	check(gnutls_certificate_allocate_credentials(&cred), "credentials");
	check(gnutls_certificate_set_x509_trust_file(cred, argv[4], GNUTLS_X509_FMT_PEM), argv[4]);
	check(gnutls_certificate_set_x509_key_file(cred, argv[5], argv[6], GNUTLS_X509_FMT_PEM), argv[5]);
	check(gnutls_init(&s, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT), "session");
	check(gnutls_set_default_priority(s), "session");
	check(gnutls_server_name_set(s, GNUTLS_NAME_DNS, argv[3], strlen(argv[3])), "session");
	check(gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred), "session");
	gnutls_session_set_verify_cert(s, NULL, 0);
	fd = dial(argv[1], argv[2]);
	if (fd < 0) {
		fprintf(stderr, "bare: cannot connect to %s port %s\n", argv[1], argv[2]);
		return 1;
	}
	gnutls_transport_set_int(s, fd);
	do
		rc = gnutls_handshake(s);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	check(rc, "handshake");
	check((int)gnutls_record_send(s, get, sizeof get - 1), "send");
	do
		rc = (int)gnutls_record_recv(s, answer, sizeof answer);
	while (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED);
	check(rc, "receive");
	gnutls_deinit(s);
	close(fd);
	gnutls_certificate_free_credentials(cred);
	return rc > 9 && memcmp(answer, "HTTP/1.1 ", 9) == 0 ? 0 : 1;
}
