/* httpd_private.h - what httpd.c (server, connections), httpd_req.c (requests) and their neighbours share, and nobody else. */
#ifndef HANDSEL_HTTPD_PRIVATE_H
#define HANDSEL_HTTPD_PRIVATE_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>

#include "gnutls_glue.h"
#include "httpd.h"
#include "metrics.h"
#include "text.h"

struct identity {
	char sni[128];			/* "": any */
	gnutls_pcert_st *cert;
	unsigned n_certs;
	struct key *key;
	uint8_t sha256[SHA256_LEN];	/* of the first certificate */
	unsigned conns;			/* that were shown it; under the lock, likewise the next */
	bool over;			/* another one has taken its place: it goes with the last of them */
};

#define HTTPD_PARTIES 512	/* buckets: connections of some hundred peers */
#define HTTPD_STATUS 600	/* above every status of HTTP */

/* An address, or a client certificate, that has connections. */
struct party {
	struct party *next;
	char key[SHA256_HEX];
	unsigned conns, requests;
};

struct conn {
	struct conn *next, **link;
	struct httpd *d;
	struct MHD_Connection *mhd;
	gnutls_session_t session;
	struct identity *shown;		/* NULL: none yet, or plain */
	int fd;
	int64_t deadline;
	char remote[INET6_ADDRSTRLEN];
	bool judged, refused;		/* refused: the client certificate is no certificate */
	void *peer;
	size_t max_body;
	struct party *address, *unit;	/* unit NULL: no client certificate */
	unsigned requests;		/* under way, likewise the next under the lock */
	bool served;			/* it was given something */
	bool greets;			/* nothing was written yet: the ServerHello comes, and the rest of the flight follows at once */
	bool hold;			/* the next TLS record is the head of an answer, and its body follows at once */
	struct buf held;		/* that record */
	bool answering;			/* a request came whole or was refused, and its answer has not gone yet: nothing is read */
	bool left;			/* the last octet that was read is in the socket still */
	struct conn *parked_next, **parked_link;
};

struct parking {
	pthread_mutex_t lock;		/* nobody takes it who is called under libmicrohttpd's own, or under d->lock */
	int epoll;
	struct conn *first;
	unsigned n;
	bool closed;
};

/* READING: belongs to libmicrohttpd's thread. HANDLING: conf.handle() has it. SUSPENDED: that returned, the answer is to
 * come. REPLIED: the answer is there and belongs to libmicrohttpd's thread again. */
enum req_state { READING, HANDLING, SUSPENDED, REPLIED };

struct http_req {
	struct conn *conn;
	struct MHD_Connection *mhd;
	const char *method, *path;
	struct buf body;
	size_t dropped;			/* bytes read beyond the limit */
	enum req_state state;		/* under d->lock */
	bool handed;			/* counted in d->handed */
	bool counted;			/* guard_request() let it in */
	size_t room;			/* of d->bodies */
	int64_t began_us;
	struct MHD_Response *response;
	unsigned status;
	bool has_body;			/* of the answer */
	bool response_ok;		/* 2xx */
	bool crowded;			/* there was no memory for the body */
};

struct httpd {
	struct httpd_conf conf;
	struct identity *identity[HTTPD_IDENTITIES];	/* under the lock, as the last one is replaced */
	struct MHD_Daemon *mhd;
	struct door *door;		/* NULL: plain, libmicrohttpd accepts by itself */
	atomic_uint waiting;		/* at it */
	struct parking parking;
	atomic_uint polled;		/* connections behind the door that are not parked */
	int listen_fd;
	uint16_t port;
	pthread_t reaper;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* stopping, or a request ended */
	struct conn *conns;
	size_t requests;		/* begun and not ended */
	size_t handed;			/* given to conf.handle() and not taken back */
	size_t replying;		/* threads inside MHD_resume_connection(), which touches the daemon to its end */
	bool stopping, stopped;
	struct httpd_limits limit;
	struct party *party[HTTPD_PARTIES];
	unsigned n_conns, under_way;
	unsigned coming;		/* handed over by the door, and not seen by libmicrohttpd's thread yet */
	size_t bodies;			/* bytes of requests that are held */
	uint64_t late, evicted, refused;	/* connections cut by deadline, for room; requests put off */
	struct metric_histogram took;
	atomic_uint_least64_t answered[HTTPD_STATUS];
	pthread_mutex_t log_lock;
	int64_t log_since;
	unsigned log_count;
};

/* Verifies nothing itself: reads the client's certificates and has conf.peer() judge them. Once a connection. */
void conn_judge(struct conn *c);
void conn_deadline(struct conn *c, int64_t ms);		/* from now on */
int64_t conn_head_ms(const struct httpd *d);		/* how long until the ClientHello is there, and from it the first request */
void conn_cut(struct conn *c);				/* under the lock: nothing more comes or goes */

/* ---- httpd_guard.c ---- */
void guard_init(struct httpd *d);
bool guard_expect(struct httpd *d);			/* the door has one to hand over; false: there is no room for it */
void guard_missed(struct httpd *d);			/* and it does not come */
/* the others under the lock */
void guard_enter(struct conn *c);			/* a new connection; if there are too many, another one goes */
void guard_leave(struct conn *c);
void guard_unit(struct conn *c, const struct cert *leaf);
const char *guard_request(struct http_req *r);		/* NULL: it may go on, else why not now */
bool guard_body(struct http_req *r, size_t more);	/* false: there is no memory for so much */
void guard_done(struct http_req *r);

/* ---- httpd_parked.c: connections that wait for their peer, in an epoll set that the door's thread watches ---- */
void parked_init(struct httpd *d);			/* d->parking.epoll is -1 if that fails */
void parked_free(struct httpd *d);
ssize_t parked_receive(struct conn *c, void *data, size_t len);	/* like recv(); it parks the connection where that waits */
void parked_settle(struct conn *c);			/* before an end: what was not read would make it a reset */
void parked_look(struct httpd *d);			/* something came for one of them */
void parked_close(struct httpd *d);			/* all go on, and none is parked any more; parked_look() must be over */
unsigned parked_count(struct httpd *d);

/* Accepts on d->listen_fd for d->mhd. NULL on failure. */
struct door *door_start(struct httpd *d, struct err *e);
void door_stop(struct door *o);			/* NULL is fine; whoever waits is closed, and nobody else comes */

void httpd_log(struct httpd *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* rate-limited */

/* libmicrohttpd's callbacks for a request; cls is the struct httpd. */
enum MHD_Result httpd_on_request(void *cls, struct MHD_Connection *mhd, const char *path, const char *method,
				 const char *version, const char *data, size_t *size, void **context);
void httpd_on_completed(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode code);

#endif
