#include <config.h>

#include "fallback.h"

#include <stdio.h>

#include "documents.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "node.h"

#define RELEASE_PATH "/.well-known/handsel/release"

int fallback_judge(const struct credential *own, const struct device_id *device, const struct buf *cms, struct err *e)
{
	struct trust *t = trust_new();
	struct release r;
	int rc = -1;

	if (trust_add_root(t, &own->root.cert[0], e) < 0 || release_read(&r, cms->data, cms->len, t, e) < 0)
		goto out;
	if (!device_same(&r.device, device))
		err_set(e, REASON_REQUEST, "the release is for another device, %s", r.device.serial);
	else if (!mem_same(r.certificate, own->chain.cert[0].sha256, SHA256_LEN))
		err_set(e, REASON_REQUEST, "the release names another certificate than the one in force");
	else
		rc = 0;
out:
	trust_free(t);
	return rc;
}

/* As fallback(), short of falling back. */
static int ask(struct node *n, const struct device_id *device, struct err *e)
{
	struct http_answer a = {0};
	char header[100], hex[SHA256_HEX];
	int rc = -1;

	text_hex(hex, n->own->chain.cert[0].sha256, SHA256_LEN);
	snprintf(header, sizeof header, "Handsel-Certificate: %s\r\n", hex);
	if (node_connect(n, e) < 0 ||
	    httpc_request(n->http, "GET", RELEASE_PATH, NULL, header, NULL, 0, LIMIT_REQUEST, &a, e) < 0)
		goto out;
	if (a.status == 404)
		rc = 0;
	else if (a.status != 200)
		err_set(e, REASON_REQUEST, "the node answers the question for a release with status %d", a.status);
	else
		rc = fallback_judge(n->own, device, &a.body, e) < 0 ? -1 : 1;
out:
	http_answer_free(&a);
	return rc;
}

int fallback(struct store *s, const struct url *url, int64_t give_up_ms, struct err *e)
{
	struct credential own = {0};
	struct node node;
	int rc = -1;

	if (store_load(s, store_current(s), &own, e) == 0 && node_init(&node, url, &own, e) == 0) {
		node.give_up_ms = give_up_ms;
		rc = ask(&node, &store_identity(s)->device, e);
		node_free(&node);
	}
	credential_free(&own);
	if (rc != 1)
		return rc;
	FAULT("agent.release-read");
	log_info("the customer credential was released: the factory credential is in force again");
	return store_release(s, e) < 0 ? -1 : 1;
}
