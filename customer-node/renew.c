/* The node's certificate from its own CA, renewed by itself: doc/protocol-ca.md 4.12. The one toward new devices is the
 * manufacturer's, whose CA no node reaches: a new handoff brings a new one. */
#include <config.h>

#include <stdio.h>

#include "clock.h"
#include "cmd.h"
#include "enrolment.h"
#include "log.h"
#include "mem.h"
#include "node.h"
#include "server.h"

#define CALL_MS 5000		/* the main loop waits for it, and has a watchdog */

static int renew(const struct node_conf *conf, struct node_identity *own, struct trust *trust, const char *dir, int64_t now, struct err *e)
{
	struct url url = conf->ca;
	struct ca_client client = { .connect = ca_connect_url, .arg = &url, .host = url.host, .ca = conf->ca_id, .trust = trust,
				    .timeout_ms = CALL_MS };
	struct enrolment_unit u = { .place = &conf->place, .dir = dir, .name = NODE_OWN, .key = own->key, .chain = own->chain };
	int rc = enrolment_keep(&client, &u, now, e);

	own->key = u.key;
	own->chain = u.chain;
	return rc;
}

void node_renew(const struct node_conf *conf, const char *dir, struct trust *trust, struct node_identity *own)
{
	struct err e;
	int rc = renew(conf, own, trust, dir, clock_utc(), &e);

	if (rc < 0)
		log_err(&e, "the node's certificate is due to be renewed; it is tried again");
	else if (rc == 1)
		log_info("the node's certificate was renewed");
}

/* The CA sees the new certificate first: a device endorses the one that it was shown, and the CA compares (protocol-ca 4.1). */
void server_renew(struct server *s)
{
	struct node_identity other;
	struct err e;
	int rc = node_identity_load(&other, s->dir, NODE_OWN, NODE_OWN, &e);

	if (rc == 0)
		node_renew(&s->conf, s->dir, s->trust, &other);
	if (rc == 0 && !mem_same(other.chain.cert[0].sha256, s->own.chain.cert[0].sha256, SHA256_LEN) &&
	    (rc = ca_queue_renew(s->queue, &other, &e)) == 0) {
		struct node_identity fresh = other;

		pthread_mutex_lock(&s->lock);
		other = s->own;
		s->own = fresh;
		pthread_mutex_unlock(&s->lock);
	}
	if (rc < 0)
		log_err(&e, "the certificate in use stays in use");
	node_identity_free(&other);
}

void server_renewed(void *arg, const struct node_identity *own)
{
	struct server *s = arg;
	struct err e;
	int rc = 1;

	pthread_mutex_lock(&s->lock);
	if (!s->stopping)
		rc = httpd_renew(s->httpd, &own->chain, own->key, &e);
	pthread_mutex_unlock(&s->lock);
	if (rc < 0)
		log_err(&e, "devices still see the certificate before");
	else if (rc == 0)
		log_info("certificate %s of the node is in use", own->chain.cert[0].serial);
}

enum cli_exit cmd_renew(const struct cli *c)
{
	struct node_identity own = {0};
	struct chain root = {0};
	struct trust *trust = NULL;
	char path[FILE_PATH], until[TEXT_TIME];
	struct node_conf conf;
	struct jsonl *j;
	struct err e;
	int rc = -1;

	if (node_conf_load(&conf, cli_dir(c), &e) == 0 && node_identity_load(&own, cli_dir(c), NODE_OWN, NODE_OWN, &e) == 0 &&
	    file_join(path, &e, cli_dir(c), NODE_CA_ROOT) == 0 && chain_load(&root, path, &e) == 0 && (trust = node_trust(&root, &e)))
		rc = renew(&conf, &own, trust, cli_dir(c), own.chain.cert[0].not_after, &e);
	if (rc == 1) {
		text_time(until, own.chain.cert[0].not_after);
		if (cli_json(c)) {
			j = jsonl_new("result");
			jsonl_str(j, "name", conf.name);
			jsonl_str(j, "certificate_serial", own.chain.cert[0].serial);
			jsonl_str(j, "not_after", until);
			jsonl_print(j);
		} else {
			printf("node %s has certificate %s, until %s; a node that serves takes it up within the hour, or by SIGHUP\n", conf.name, own.chain.cert[0].serial, until);
		}
	}
	node_identity_free(&own);
	trust_free(trust);
	chain_free(&root);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
