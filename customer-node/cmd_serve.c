/* The daemon: start, tick, reload, stop. */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cmd.h"
#include "fault.h"
#include "limits.h"
#include "head.h"
#include "key.h"
#include "log.h"
#include "mem.h"
#include "p256_verify.h"
#include "proc.h"
#include "rules.h"
#include "server.h"
#include "service.h"
#include "watch.h"

#define GATHER_STEP_MS 3		/* with 32 devices at a time one asks each millisecond or two: a shorter step ends with nobody */
#define WRITER_STUCK_MS 60000	/* one batch: a busy disk and another writer take 10 s; beyond this nothing will come of it */
#define RENEW_CHECK_S 3600	/* is the certificate due? A third of its life is left then. And a head of the audit is made */
#define TICK_MAX_S 5		/* how exactly pending time is kept over a restart */

const struct cli_option serve_options[] = {
	{ "listen", "ADDR:PORT", "instead of the one in node.yaml; port 0: any free one", false },
	{ "ready-file", "FILE", "written with the port when the node serves", false },
	{ 0 },
};

/* ---- lapse ---- */
struct tick {
	struct writer_job job;		/* first: the writer gives it back */
	struct server *s;
	int64_t seconds, limit;
	int lapsed;
};

static int tick_run(struct writer_job *job, struct db *db, struct err *e)
{
	struct tick *t = (struct tick *)job;
	int rc = store_pending_any(db, e);

	return rc == 1 ? rules_lapse(db, t->seconds, t->limit, clock_utc(), &t->lapsed, e) : rc;
}

static void tick_done(struct writer_job *job, int rc, const struct err *e)
{
	struct tick *t = (struct tick *)job;

	if (rc < 0)
		log_err(e, "pending time");
	else if (t->lapsed) {
		FAULT("node.lapsed");
		ca_queue_tell(t->s->queue);
	}
	free(t);
}

static bool is_ready(struct server *s)
{
	bool ready;

	pthread_mutex_lock(&s->lock);
	ready = s->ready;
	pthread_mutex_unlock(&s->lock);
	return ready;
}

/* Whoever became pending since the last tick is charged a whole one, so the limit has one more: none lapses early. */
static void tick(struct server *s, int64_t seconds, int64_t period)
{
	struct tick *t;

	if (!is_ready(s))	/* what lapses by an old database may have been confirmed */
		return;
	t = mem_new(1, sizeof *t);
	t->s = s;
	t->job = (struct writer_job){ .run = tick_run, .done = tick_done };
	t->seconds = seconds;
	t->limit = (int64_t)s->conf.pending_s + period;
	writer_submit(s->writer, &t->job);
}

/* ---- start ---- */
static int load_chain(struct chain *ch, const char *dir, const char *name, struct err *e)
{
	char path[FILE_PATH];

	return file_join(path, e, dir, name) < 0 ? -1 : chain_load(ch, path, e);
}

static int note_root(struct server *s, const struct cert *root, struct err *e)
{
	char hash[SHA256_HEX];
	struct db *db = node_db_open(s->dir, e);
	int rc = -1;

	text_hex(hash, root->sha256, SHA256_LEN);
	if (db && db_begin(db, e) == 0) {
		rc = audit_add(db, clock_utc(), "node", "ca-root", root->subject, hash, e);
		if (rc == 0)
			rc = db_commit(db, e);
		else
			db_rollback(db);
	}
	db_close(db);
	if (rc == 0)
		log_info("the root of the customer's CA is now \"%s\" (SHA-256 %s), by the word of the one before", root->subject, hash);
	return rc;
}

/* What the CA gave last may have its new root. What is in force already needs the old one no more; a third root will be certified by this
 * one alone. */
static int take_up_root(struct server *s, const struct chain *cas, struct err *e)
{
	const struct cert *root = server_root(s, cas);
	char path[FILE_PATH];
	struct buf pem = {0}, der = {0};
	int rc = -1;

	if (root == &s->root.cert[0])
		return 0;
	cert_to_pem(root, &pem);
	buf_set(&der, root->der.data, root->der.len);
	if (note_root(s, root, e) == 0 && file_join(path, e, s->dir, NODE_CA_ROOT) == 0 &&
	    file_replace(path, pem.data, pem.len, 0644, e) == 0) {
		FAULT("node.ca-root");
		chain_free(&s->root);
		rc = chain_add(&s->root, der.data, der.len, e);
	}
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

static int load_root(struct server *s, struct err *e)
{
	char path[FILE_PATH];
	struct chain cas = {0};
	struct err spoilt;
	int rc = 0;

	if (load_chain(&s->root, s->dir, NODE_CA_ROOT, e) < 0 || file_join(path, e, s->dir, NODE_CA_CHAIN) < 0)
		return -1;
	if (file_exists(path) && chain_load(&cas, path, &spoilt) == 0)
		rc = take_up_root(s, &cas, e);
	chain_free(&cas);
	return rc;
}

static int load_trust(struct server *s, struct err *e)
{
	if (load_root(s, e) < 0 || !(s->trust = node_trust(&s->root, e)) ||
	    maker_set_load(&s->makers, s->dir, e) < 0)
		return -1;
	s->authn = authn_new(&s->makers, &s->root.cert[0], e);
	if (!s->authn || !(s->crls = factory_crls_new(&s->makers, s->dir, e)))
		return -1;
	s->fetch = crl_fetch_start(&s->conf, s->dir, &s->makers, s->crls, e);
	return s->fetch ? 0 : -1;
}

/* The CA's chain as it was last time, so that the node starts without its CA. */
static void load_ca_chain(struct server *s)
{
	char path[FILE_PATH];
	struct chain cas = {0};
	struct err e;

	if (file_join(path, &e, s->dir, NODE_CA_CHAIN) == 0 && file_exists(path)) {
		if (chain_load(&cas, path, &e) == 0)
			server_chain(s, &cas);
		else
			log_err(&e, "it is asked for again");
	}
	chain_free(&cas);
}

static int open_databases(struct server *s, struct err *e)
{
	const struct writer_hooks hooks = { .repeatable = true, .step_ms = GATHER_STEP_MS };
	char path[FILE_PATH];

	if (file_join(path, e, s->dir, NODE_DB) < 0 || !(s->db = store_open(path, e)) || store_outbox_restart(s->db, e) < 0 ||
	    store_hold_certified(s->db, e) < 0 || !(s->reader = store_open(path, e)))
		return -1;
	s->writer = writer_start(s->db, &hooks, e);
	return s->writer ? 0 : -1;
}

static int start_queue(struct server *s, struct err *e)
{
	struct ca_queue_conf conf = { .node = &s->conf, .own = &s->own, .trust = s->trust, .writer = s->writer,
				      .chain_now = s->cacerts.len == 0, .chain = server_chain, .ready = server_ready, .renewed = server_renewed, .arg = s };
	char path[FILE_PATH];

	if (file_join(path, e, s->dir, NODE_DB) < 0)
		return -1;
	conf.db_path = path;
	s->queue = ca_queue_start(&conf, e);
	return s->queue ? 0 : -1;
}

static void add_identity(struct httpd_conf *conf, const char *sni, const struct node_identity *id)
{
	conf->identity[conf->n_identities++] = (struct httpd_identity){ .sni = sni, .chain = &id->chain, .key = id->key };
}

static int start_httpd(struct server *s, int socket, struct err *e)
{
	struct httpd_conf conf = {
		.address = s->conf.address, .port = s->conf.port, .socket = socket,
		.peer = server_peer, .peer_free = server_peer_free, .handle = server_handle, .arg = s,
	};

	for (size_t i = 0; i < s->makers.n; i++) {
		const struct maker *m = &s->makers.one[i];

		add_identity(&conf, m->sni, &m->onboard);
		if (*m->other_sni)
			add_identity(&conf, m->other_sni, &m->onboard);
	}
	add_identity(&conf, ONBOARD_SNI, &s->makers.one[0].onboard);
	add_identity(&conf, NULL, &s->own);
	s->httpd = httpd_start(&conf, e);
	return s->httpd ? 0 : -1;
}

static int start_monitor(struct server *s, int socket, struct err *e)
{
	const struct monitor_conf conf = { .address = s->conf.metrics_address, .port = s->conf.metrics_port, .socket = socket,
					   .ready = watch_ready, .metrics = watch_metrics, .arg = s };

	if (socket <= 0 && !*s->conf.metrics_address)
		return 0;
	s->monitor = monitor_start(&conf, e);
	return s->monitor ? 0 : -1;
}

/* A socket that the service manager has opened goes before node.yaml, the command line before that. */
static int start(struct server *s, const struct cli *c, struct service_sockets *given, struct err *e)
{
	const char *listen = cli_get(c, "listen");

	s->dir = cli_dir(c);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	if (node_conf_load(&s->conf, s->dir, e) < 0 ||
	    (listen && node_listen_parse(listen, s->conf.address, &s->conf.port, e) < 0) ||
	    node_identity_load(&s->own, s->dir, NODE_OWN, NODE_OWN, e) < 0 || load_trust(s, e) < 0)
		return -1;
	unit_key_tidy(&s->conf.place, s->dir, NODE_OWN);
	node_renew(&s->conf, s->dir, s->trust, &s->own);
	if (open_databases(s, e) < 0)
		return -1;
	load_ca_chain(s);
	if (start_queue(s, e) < 0 || start_httpd(s, listen ? 0 : service_socket(given, ""), e) < 0)
		return -1;
	return start_monitor(s, service_socket(given, SERVICE_METRICS), e);
}

static int announce(struct server *s, const struct cli *c, struct err *e)
{
	const char *ready = cli_get(c, "ready-file");
	char port[32];
	int n = snprintf(port, sizeof port, "%u\n", httpd_port(s->httpd));

	if (s->monitor)		/* a second line */
		n += snprintf(port + n, sizeof port - (size_t)n, "%u\n", monitor_port(s->monitor));
	if (ready && file_replace(ready, port, (size_t)n, 0644, e) < 0)
		return -1;
	log_info("serving on %s port %u for customer %s%s", s->conf.address, httpd_port(s->httpd),
		 s->makers.one[0].onboard.chain.cert[0].customer, s->conf.plain_est ? ", plain EST clients allowed" : "");
	if (s->monitor)
		log_info("metrics on port %u", monitor_port(s->monitor));
	return 0;
}

/* ---- life ---- */
static void reload(struct server *s)
{
	service_reloading();
	server_reload(s);
	server_renew(s);
	crl_fetch_now(s->fetch);
}

/* What `systemctl status` shows; told again when it has changed. */
#define STATUS_TEXT (sizeof ((struct err *)0)->text + 32)
static void tell_status(struct server *s, char told[STATUS_TEXT])
{
	char text[STATUS_TEXT];
	struct err why;

	if (watch_ready(s, &why))
		snprintf(text, sizeof text, "serving on port %u", httpd_port(s->httpd));
	else
		snprintf(text, sizeof text, "not ready: %s %s", reason_id(why.code), why.text);
	if (strcmp(text, told) == 0)
		return;
	strcpy(told, text);
	service_ready(text);
}

/* False: the writer hangs, and the service manager may start us anew. */
static bool look_at_writer(struct server *s)
{
	struct writer_state w;

	writer_state(s->writer, &w);
	if (w.failing)
		writer_probe(s->writer);
	return w.busy_ms <= WRITER_STUCK_MS;
}

/* Rows without a head could be cut off unseen. What comes while the node is recovering is another history's. */
static void keep_head(const struct server *s)
{
	struct err e;

	if (head_keep(s->dir, &s->own, &e) < 0)
		log_err(&e, "no head of the audit; the next is as good");
}

static void live(struct server *s)
{
	int64_t period = (int64_t)s->conf.pending_s / 4, last = clock_mono_ms(), looked = last;
	struct service_watchdog dog;
	char told[STATUS_TEXT] = "";

	if (period > TICK_MAX_S)
		period = TICK_MAX_S;
	if (period < 1)
		period = 1;
	service_watchdog_start(&dog);
	keep_head(s);
	for (;;) {
		int64_t left = last + period * 1000 - clock_mono_ms(), passed;
		int sig;

		tell_status(s, told);
		sig = proc_signals_wait(-1, service_watchdog(&dog, look_at_writer(s), left > 0 ? (int)left : 0));
		if (sig == SIGTERM || sig == SIGINT)
			return;
		if (sig == SIGHUP) {
			reload(s);
			told[0] = 0;	/* READY=1 ends RELOADING=1 */
		}
		if (clock_mono_ms() - looked >= RENEW_CHECK_S * 1000) {
			looked = clock_mono_ms();
			server_renew(s);
			if (is_ready(s))
				keep_head(s);
		}
		passed = (clock_mono_ms() - last) / 1000;
		if (passed >= period) {
			tick(s, passed, period);
			last += passed * 1000;
		}
	}
}

/* Requests under way get their answers first: the CA's may take its time, but has one. */
static void stop(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	while (s->httpd && s->busy)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
	monitor_stop(s->monitor);	/* it looks at all the rest */
	if (s->httpd)
		httpd_stop(s->httpd);
	ca_queue_stop(s->queue);
	writer_stop(s->writer);
	db_close(s->db);
	db_close(s->reader);
	crl_fetch_stop(s->fetch);
	factory_crls_free(s->crls);
	authn_free(s->authn);
	trust_free(s->trust);
	chain_free(&s->root);
	node_identity_free(&s->own);
	maker_set_free(&s->makers);
	buf_free(&s->cacerts);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
}

enum cli_exit cmd_serve(const struct cli *c)
{
	struct server *s = mem_new(1, sizeof *s);
	enum cli_exit rc = EXIT_DONE;
	struct service_sockets given;
	struct err e;

	proc_signals_block();
	spki_p256_by(p256_verify);
	proc_harden();
	if (service_sockets_take(&given, &e) == 0 && start(s, c, &given, &e) == 0 && announce(s, c, &e) == 0)
		live(s);
	else
		rc = cli_fail(c, &e);
	service_stopping();
	stop(s);
	service_sockets_close(&given);
	free(s);
	return rc;
}
