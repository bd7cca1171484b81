/* Who may have how much of the server: connections and requests under way, by address and by certificate. What is too much is
 * refused at once with 503 and Retry-After, before it costs a signature or a place in a queue; and where connections themselves run
 * out, those go first of whom nothing is known. */
#include <config.h>

#include "httpd_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "limits.h"
#include "mem.h"

#define CROWDED(d) ((d)->limit.connections - (d)->limit.connections / 4)	/* room is made while there still is some */

static struct party **bucket_of(struct httpd *d, const char *key)
{
	unsigned h = 2166136261u;	/* FNV: an address or a hash, of a table that is bounded anyhow */

	for (const char *p = key; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return &d->party[h % HTTPD_PARTIES];
}

/* Under the lock, like all that follows but guard_refusal(). */
static struct party *party_join(struct httpd *d, const char *key)
{
	struct party **at = bucket_of(d, key), *p = *at;

	while (p && strcmp(p->key, key) != 0)
		p = p->next;
	if (!p) {
		p = mem_new(1, sizeof *p);
		strncpy(p->key, key, sizeof p->key - 1);
		p->next = *at;
		*at = p;
	}
	p->conns++;
	return p;
}

static void party_leave(struct httpd *d, struct party *p)
{
	struct party **at;

	if (!p || --p->conns > 0)
		return;
	for (at = bucket_of(d, p->key); *at != p; at = &(*at)->next)
		;
	*at = p->next;
	free(p);
}

/* ---- connections ---- */
/* Those that nobody would miss: first who has not been given anything yet, then who just keeps one. */
enum worth { UNKNOWN, KEPT, BUSY };

static enum worth worth_of(const struct conn *c)
{
	return c->requests || c->deadline == INT64_MAX ? BUSY : c->served ? KEPT : UNKNOWN;
}

/* Of the least worth the address that holds most, of that the oldest: so a flood from one address drives out itself. */
static void make_room(struct httpd *d)
{
	struct conn *victim = NULL;

	for (struct conn *c = d->conns; c; c = c->next) {	/* the newest first */
		enum worth w = worth_of(c);

		if (w != BUSY && (!victim || w < worth_of(victim) ||
				  (w == worth_of(victim) && c->address->conns >= victim->address->conns)))
			victim = c;
	}
	if (!victim)
		return;
	conn_cut(victim);
	d->evicted++;
}

/* Never more than libmicrohttpd takes: when a thread of 0.9.75 finds too many among those that were handed to it, it leaves a mutex
 * locked and is dead. */
bool guard_expect(struct httpd *d)
{
	bool room;

	pthread_mutex_lock(&d->lock);
	room = d->coming + d->n_conns < d->limit.connections;
	d->coming += room;
	d->evicted += !room;
	pthread_mutex_unlock(&d->lock);
	return room;
}

void guard_missed(struct httpd *d)
{
	pthread_mutex_lock(&d->lock);
	d->coming--;
	pthread_mutex_unlock(&d->lock);
}

void guard_enter(struct conn *c)
{
	struct httpd *d = c->d;

	if (d->n_conns >= CROWDED(d))
		make_room(d);
	d->coming -= !d->conf.plain;	/* who is plain comes without the door */
	d->n_conns++;
	c->address = party_join(d, c->remote);
}

void guard_leave(struct conn *c)
{
	c->d->n_conns--;
	party_leave(c->d, c->address);
	party_leave(c->d, c->unit);
}

void guard_unit(struct conn *c, const struct cert *leaf)
{
	char key[SHA256_HEX];

	text_hex(key, leaf->sha256, SHA256_LEN);
	c->unit = party_join(c->d, key);
}

/* ---- requests ---- */
const char *guard_request(struct http_req *r)
{
	const struct conn *c = r->conn;
	struct httpd *d = c->d;

	if (c->unit && c->unit->conns > d->limit.unit_conns)
		return "too many connections of this unit";
	if (c->unit && c->unit->requests >= d->limit.unit_requests)
		return "too many requests of this unit are under way";
	if (c->address->requests >= d->limit.address_requests)
		return "too many requests of this address are under way";
	if (d->under_way >= d->limit.requests)
		return "too many requests are under way";
	r->counted = true;
	d->under_way++;
	c->address->requests++;
	if (c->unit)
		c->unit->requests++;
	return NULL;
}

void guard_done(struct http_req *r)
{
	struct httpd *d = r->conn->d;

	d->bodies -= r->room;
	if (!r->counted)
		return;
	d->under_way--;
	r->conn->address->requests--;
	if (r->conn->unit)
		r->conn->unit->requests--;
}

bool guard_body(struct http_req *r, size_t more)
{
	if (r->conn->d->bodies + more > LIMIT_HTTP_BODIES)
		return false;
	r->conn->d->bodies += more;
	r->room += more;
	return true;
}

void guard_init(struct httpd *d)
{
	const struct httpd_limits *given = &d->conf.limit;

	d->limit = (struct httpd_limits){
		.connections = given->connections ? given->connections : LIMIT_HTTP_CONN,
		.polled = given->polled ? given->polled : LIMIT_HTTP_POLLED,
		.requests = given->requests ? given->requests : LIMIT_HTTP_REQUESTS,
		.address_requests = given->address_requests ? given->address_requests : LIMIT_HTTP_REQUESTS_IP,
		.unit_conns = given->unit_conns ? given->unit_conns : LIMIT_HTTP_PER_UNIT,
		.unit_requests = given->unit_requests ? given->unit_requests : LIMIT_HTTP_REQUESTS_UNIT,
	};
}

/* ---- figures ---- */
void httpd_metrics(struct httpd *d, const char *prefix, struct buf *out)
{
	unsigned conns, under_way;
	uint64_t late, evicted, refused;
	char name[80], status[8];

	pthread_mutex_lock(&d->lock);
	conns = d->n_conns + atomic_load(&d->waiting);
	under_way = d->under_way;
	late = d->late;
	evicted = d->evicted;
	refused = d->refused;
	pthread_mutex_unlock(&d->lock);
	snprintf(name, sizeof name, "%s_http_connections", prefix);
	metrics_one(out, name, METRIC_GAUGE, "Open connections.", conns);
	snprintf(name, sizeof name, "%s_http_connections_parked", prefix);
	metrics_one(out, name, METRIC_GAUGE, "Of these, such as wait for their peer where they cost nothing.", parked_count(d));
	snprintf(name, sizeof name, "%s_http_requests_under_way", prefix);
	metrics_one(out, name, METRIC_GAUGE, "Requests without an answer yet.", under_way);
	snprintf(name, sizeof name, "%s_http_connections_cut_total", prefix);
	metrics_family(out, name, METRIC_COUNTER, "Connections that were ended: too slow, or for another one's room.");
	metrics_sample(out, name, METRIC_LABELS("why", "deadline"), (double)late);
	metrics_sample(out, name, METRIC_LABELS("why", "crowded"), (double)evicted);
	snprintf(name, sizeof name, "%s_http_requests_put_off_total", prefix);
	metrics_one(out, name, METRIC_COUNTER, "Requests that were answered 503 unseen, since too many were under way.", (double)refused);
	snprintf(name, sizeof name, "%s_http_answers_total", prefix);
	metrics_family(out, name, METRIC_COUNTER, "Answers by status; 0 is a connection that was closed instead.");
	for (unsigned i = 0; i < HTTPD_STATUS; i++) {
		uint64_t n = atomic_load_explicit(&d->answered[i], memory_order_relaxed);

		snprintf(status, sizeof status, "%u", i);
		if (n)
			metrics_sample(out, name, METRIC_LABELS("status", status), (double)n);
	}
	snprintf(name, sizeof name, "%s_http_request_seconds", prefix);
	metrics_histogram(out, name, "From the head of a request to its answer.", &d->took);
}
