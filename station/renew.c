/* The station's certificate, renewed by itself: doc/protocol-ca.md 4.12. */
#include <config.h>

#include <stdio.h>

#include "cli.h"
#include "clock.h"
#include "enrolment.h"
#include "file.h"
#include "log.h"
#include "setup.h"
#include "station.h"

static int renew(struct station *s, int64_t now, struct err *e)
{
	struct url url = s->ca;
	struct ca_client client = { .connect = ca_connect_url, .arg = &url, .host = url.host, .ca = s->ca_id, .trust = s->trust };
	struct enrolment_unit u = { .place = &s->place, .dir = s->dir, .name = "station", .key = s->key, .chain = s->chain };
	int rc = enrolment_keep(&client, &u, now, e);

	s->key = u.key;
	s->chain = u.chain;
	return rc;
}

void station_renew(struct station *s)
{
	struct err e;
	int rc;

	unit_key_tidy(&s->place, s->dir, "station");
	rc = renew(s, clock_utc(), &e);
	if (rc < 0)
		log_err(&e, "the station's certificate is due to be renewed; it is tried again at the next start");
	else if (rc == 1)
		log_info("the station's certificate was renewed");
}

enum cli_exit cmd_renew(const struct cli *c)
{
	char until[TEXT_TIME] = "";
	struct station s = {0};
	struct jsonl *j;
	struct err e;
	int rc = station_load(&s, cli_dir(c), &e);

	if (rc == 0 && (rc = renew(&s, s.chain.cert[0].not_after, &e)) == 1) {
		text_time(until, s.chain.cert[0].not_after);
		rc = 0;
	}
	if (rc == 0 && cli_json(c)) {
		j = jsonl_new("result");
		jsonl_str(j, "station", s.name);
		jsonl_str(j, "certificate_serial", s.chain.cert[0].serial);
		jsonl_str(j, "not_after", until);
		jsonl_print(j);
	} else if (rc == 0) {
		printf("station %s has certificate %s, until %s\n", s.name, s.chain.cert[0].serial, until);
	}
	station_free(&s);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}
