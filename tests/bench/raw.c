#include <config.h>

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "buf.h"
#include "gnutls_glue.h"
#include "mem.h"
#include "p256_verify.h"

static void check(int rc, const char *what)
{
	if (rc < 0)
		die("%s: %s", what, gnutls_strerror(rc));
}

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static gnutls_privkey_t new_key(void)
{
	gnutls_privkey_t k;

	check(gnutls_privkey_init(&k), "key");
	check(gnutls_privkey_generate(k, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), "key");
	return k;
}

static double time_keygen(double seconds)
{
	double begin = cpu(), now;
	unsigned n = 0;

	do {
		gnutls_privkey_deinit(new_key());
		n++;
	} while ((now = cpu()) < begin + seconds);
	return (now - begin) / n;
}

static double time_sign(double seconds)
{
	unsigned char hash[32] = { 1 };
	gnutls_datum_t data = { hash, sizeof hash }, sig;
	gnutls_privkey_t k = new_key();
	double begin = cpu(), now;
	unsigned n = 0;

	do {
		check(gnutls_privkey_sign_hash2(k, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig), "sign");
		gnutls_free(sig.data);
		n++;
	} while ((now = cpu()) < begin + seconds);
	gnutls_privkey_deinit(k);
	return (now - begin) / n;
}

static double time_verify(double seconds)
{
	unsigned char hash[32] = { 1 };
	gnutls_datum_t data = { hash, sizeof hash }, sig;
	gnutls_privkey_t k = new_key();
	gnutls_pubkey_t p;
	double begin, now;
	unsigned n = 0;

	check(gnutls_pubkey_init(&p), "public key");
	check(gnutls_pubkey_import_privkey(p, k, 0, 0), "public key");
	check(gnutls_privkey_sign_hash2(k, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig), "sign");
	begin = cpu();
	do {
		check(gnutls_pubkey_verify_hash2(p, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &sig), "verify");
		n++;
	} while ((now = cpu()) < begin + seconds);
	gnutls_free(sig.data);
	gnutls_pubkey_deinit(p);
	gnutls_privkey_deinit(k);
	return (now - begin) / n;
}

static double time_daemon_verify(double seconds)
{
	static const uint8_t digest[SHA256_LEN] = { 1 };
	struct buf spki = {0}, sig = {0};
	double begin, now;
	unsigned n = 0;
	struct err e;
	struct key *k = key_generate(KEY_P256, &e);

	need(k && key_spki(k, &spki, &e) == 0 && key_sign_digest(k, digest, sizeof digest, &sig, &e) == 0 ? 0 : -1, &e, "key");
	begin = cpu();
	do {
		if (!p256_verify(spki.data + spki.len - P256_POINT, digest, sig.data, sig.len))
			die("libcrypto does not verify");
		n++;
	} while ((now = cpu()) < begin + seconds);
	key_free(k);
	buf_free(&spki);
	buf_free(&sig);
	return (now - begin) / n;
}

/* ---- the handshake, both ends in this thread over memory ---- */
struct end {
	gnutls_session_t session;
	struct buf in;
	struct end *other;
};

static ssize_t push(gnutls_transport_ptr_t p, const void *data, size_t len)
{
	struct end *e = p;

	buf_add(&e->other->in, data, len);
	return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t p, void *data, size_t len)
{
	struct end *e = p;

	if (e->in.len == 0) {
		gnutls_transport_set_errno(e->session, EAGAIN);
		return -1;
	}
	if (len > e->in.len)
		len = e->in.len;
	memcpy(data, e->in.data, len);
	buf_drop(&e->in, len);
	return (ssize_t)len;
}

static gnutls_certificate_credentials_t new_credentials(void)
{
	gnutls_certificate_credentials_t cred;
	gnutls_privkey_t k = new_key();
	gnutls_x509_privkey_t xk;
	gnutls_x509_crt_t crt;
	gnutls_pcert_st *pcert = mem_new(1, sizeof *pcert);

	check(gnutls_privkey_export_x509(k, &xk), "certificate");
	check(gnutls_x509_crt_init(&crt), "certificate");
	check(gnutls_x509_crt_set_version(crt, 3), "certificate");
	check(gnutls_x509_crt_set_serial(crt, "\1", 1), "certificate");
	check(gnutls_x509_crt_set_dn(crt, "CN=bench", NULL), "certificate");
	check(gnutls_x509_crt_set_key(crt, xk), "certificate");
	check(gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600), "certificate");
	check(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600), "certificate");
	check(gnutls_x509_crt_privkey_sign(crt, crt, k, GNUTLS_DIG_SHA256, 0), "certificate");
	check(gnutls_certificate_allocate_credentials(&cred), "credentials");
	check(gnutls_pcert_import_x509(pcert, crt, 0), "credentials");
	check(gnutls_certificate_set_key(cred, NULL, 0, pcert, 1, k), "credentials");
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(xk);
	free(pcert);
	return cred;
}

static void end_init(struct end *e, unsigned flags, gnutls_priority_t prio, gnutls_certificate_credentials_t cred,
		     struct end *other)
{
	*e = (struct end){ .other = other };
	check(gnutls_init(&e->session, flags | GNUTLS_NONBLOCK), "session");
	check(gnutls_priority_set(e->session, prio), "session");
	check(gnutls_credentials_set(e->session, GNUTLS_CRD_CERTIFICATE, cred), "session");
	gnutls_transport_set_ptr(e->session, e);
	gnutls_transport_set_push_function(e->session, push);
	gnutls_transport_set_pull_function(e->session, pull);
	if (flags & GNUTLS_SERVER)
		gnutls_certificate_server_set_request(e->session, GNUTLS_CERT_REQUIRE);
}

static void end_free(struct end *e)
{
	gnutls_deinit(e->session);
	buf_free(&e->in);
}

static double one_handshake(gnutls_priority_t prio, gnutls_certificate_credentials_t cred)
{
	struct end server, client;
	int s = GNUTLS_E_AGAIN, c = GNUTLS_E_AGAIN;
	double used = 0, begin = cpu();

	end_init(&server, GNUTLS_SERVER, prio, cred, &client);
	used += cpu() - begin;
	end_init(&client, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT, prio, cred, &server);
	while (s == GNUTLS_E_AGAIN || c == GNUTLS_E_AGAIN) {
		if (c == GNUTLS_E_AGAIN)
			c = gnutls_handshake(client.session);
		begin = cpu();
		if (s == GNUTLS_E_AGAIN)
			s = gnutls_handshake(server.session);
		used += cpu() - begin;
	}
	check(s, "handshake");
	check(c, "handshake");
	end_free(&client);
	begin = cpu();
	end_free(&server);
	return used + cpu() - begin;
}

static double time_handshake(double seconds)
{
	gnutls_certificate_credentials_t cred = new_credentials();
	gnutls_priority_t prio;
	double used = 0;
	unsigned n = 0;

	check(gnutls_priority_init(&prio, HANDSEL_PRIORITY ":-VERS-TLS1.2", NULL), "priorities");
	while (used < seconds) {
		used += one_handshake(prio, cred);
		n++;
	}
	gnutls_priority_deinit(prio);
	gnutls_certificate_free_credentials(cred);
	return used / n;
}

void raw_measure(struct raw *r, double seconds)
{
	r->sign = time_sign(seconds);
	r->verify = time_verify(seconds);
	r->daemon_verify = time_daemon_verify(seconds);
	r->keygen = time_keygen(seconds);
	r->handshake = time_handshake(seconds);
}

/* ---- beside a load ---- */
#define BURST_S 0.004	/* each kind for so long: what it finds in no cache at first is little of that */
#define NAP_MS 20
#define NAPS 10		/* then about a tenth of a core goes to it */
#define BURSTS_MAX 4096	/* some 15 minutes */

struct raw_beside {
	pthread_t thread;
	atomic_bool ended;
	unsigned n;
	struct raw burst[BURSTS_MAX];
};

static void *measure(void *arg)
{
	struct raw_beside *b = arg;

	do {
		raw_measure(&b->burst[b->n++], BURST_S);
		for (int i = 0; i < NAPS && !atomic_load(&b->ended); i++)
			usleep(NAP_MS * 1000);
	} while (!atomic_load(&b->ended) && b->n < BURSTS_MAX);
	return NULL;
}

struct raw_beside *raw_begin(void)
{
	struct raw_beside *b = mem_new(1, sizeof *b);

	if (pthread_create(&b->thread, NULL, measure, b))
		die("cannot start a thread");
	return b;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of the member at that offset; not the mean, since a burst that the machine's owner interrupts counts for a hundred. */
static double median(const struct raw_beside *b, size_t offset)
{
	double *value = mem_new(b->n, sizeof *value), middle;

	for (unsigned i = 0; i < b->n; i++)
		memcpy(&value[i], (const char *)&b->burst[i] + offset, sizeof *value);
	qsort(value, b->n, sizeof *value, by_value);
	middle = value[b->n / 2];
	free(value);
	return middle;
}

void raw_end(struct raw_beside *b, struct raw *r)
{
	atomic_store(&b->ended, true);
	pthread_join(b->thread, NULL);
	r->sign = median(b, offsetof(struct raw, sign));
	r->verify = median(b, offsetof(struct raw, verify));
	r->keygen = median(b, offsetof(struct raw, keygen));
	r->daemon_verify = median(b, offsetof(struct raw, daemon_verify));
	r->handshake = median(b, offsetof(struct raw, handshake));
	free(b);
}
