#include <config.h>

#include "http_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct world world;

static void need(int rc, const struct err *e)
{
	if (rc == 0)
		return;
	fprintf(stderr, "test PKI: %s\n", e->text);
	exit(99);
}

static void certify(struct chain *out, const char *cn, const char *uri, bool ca)
{
	struct cert_plan plan = { .not_before = clock_utc() - 3600, .not_after = clock_utc() + 3600, .path_len = -1 };
	struct buf spki = {0}, der = {0};
	struct err e;

	need(key_spki(ca ? world.root_key : world.key, &spki, &e), &e);
	plan.spki = &spki;
	snprintf(plan.subject_cn, sizeof plan.subject_cn, "%s", cn);
	snprintf(plan.uri[0], sizeof plan.uri[0], "%s", uri);
	plan.ca = plan.key_cert_sign = ca;
	plan.digital_signature = plan.server_auth = plan.client_auth = !ca;
	need(cert_build(&plan, ca ? NULL : world.root.cert, world.root_key, &der, &e), &e);
	need(chain_add(out, der.data, der.len, &e), &e);
	buf_free(&spki);
	buf_free(&der);
}

void world_init(void)
{
	struct err e;

	world.root_key = key_generate(KEY_P256, &e);
	world.key = key_generate(KEY_P256, &e);
	need(world.root_key && world.key ? 0 : -1, &e);
	certify(&world.root, "test root", "", true);
	certify(&world.server, "test server", "handsel:node:server", false);
	certify(&world.onboard, "test onboard", "handsel:node:onboard", false);
	certify(&world.client, "test client", "handsel:station:client", false);
	world.trust = trust_new();
	need(trust_add_root(world.trust, world.root.cert, &e), &e);
}

void world_free(void)
{
	trust_free(world.trust);
	chain_free(&world.root);
	chain_free(&world.server);
	chain_free(&world.onboard);
	chain_free(&world.client);
	key_free(world.root_key);
	key_free(world.key);
}

int world_dial(uint16_t port)
{
	char text[8];
	struct err e;
	int fd;

	snprintf(text, sizeof text, "%u", port);
	fd = tcp_connect("127.0.0.1", text, clock_mono_ms() + 60000, &e);
	need(fd < 0 ? -1 : 0, &e);
	return fd;
}

struct tls *world_tls(int fd, const char *sni, bool with_client, struct err *e)
{
	struct tls_client opt = {
		.chain = with_client ? &world.client : NULL,
		.key = with_client ? world.key : NULL,
		.trust = world.trust,
		.rule = { .purpose = PURPOSE_SERVER, .role = "node", .now = clock_utc() },
		.sni = sni,
		.deadline_ms = clock_mono_ms() + 60000,
	};

	return tls_connect(fd, &opt, e);
}

struct httpc *world_http(uint16_t port, bool with_client)
{
	struct err e;
	struct tls *t = world_tls(world_dial(port), NULL, with_client, &e);

	if (!t)
		fprintf(stderr, "test client: %s\n", e.text);
	return t ? httpc_new(t, "127.0.0.1") : NULL;
}
