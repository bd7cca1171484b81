#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "file.h"
#include "front.h"
#include "key.h"
#include "log.h"
#include "p256_verify.h"
#include "proc.h"
#include "service.h"

struct places {
	struct endpoint https, metrics;
	bool monitored;
};

/* A socket that the service manager has opened goes before ca.yaml, the command line before that. */
static int https_place(struct endpoint *where, const struct cli *c, const struct settings *s, struct service_sockets *given,
		       struct err *e)
{
	const char *option = cli_get(c, "listen");
	int fd = option ? -1 : service_socket(given, "");

	if (fd >= 0) {
		*where = (struct endpoint){ .socket = fd };
		return 0;
	}
	if (option)
		return endpoint_parse(where, option, e) < 0 ? err_prefix(e, "--listen") : 0;
	if (!*s->listen)
		return err_set(e, REASON_CONFIG, "%s/ca.yaml: 'listen' is missing; write for example listen: \"" LISTEN_DEFAULT "\"",
			       cli_dir(c));
	return endpoint_parse(where, s->listen, e);
}

static int where_to_listen(struct places *p, const struct cli *c, struct err *e)
{
	struct service_sockets given;
	struct settings s;
	int fd, rc;

	*p = (struct places){0};
	if (service_sockets_take(&given, e) < 0 || settings_load(&s, cli_dir(c), e) < 0)
		return -1;
	fd = service_socket(&given, SERVICE_METRICS);
	p->monitored = fd >= 0 || *s.metrics;
	rc = https_place(&p->https, c, &s, &given, e);
	if (rc == 0 && fd >= 0)
		p->metrics = (struct endpoint){ .socket = fd };
	else if (rc == 0 && p->monitored)
		rc = endpoint_parse(&p->metrics, s.metrics, e);
	service_sockets_close(&given);
	return rc;
}

/* The ready file has the port, and in a second line that of the metrics. */
static int tell_ready(const struct cli *c, const struct front *f, struct err *e)
{
	const char *file = cli_get(c, "ready-file");
	unsigned metrics = front_monitor_port(f);
	char port[32];
	int n = snprintf(port, sizeof port, "%u\n", front_port(f));

	if (metrics)
		snprintf(port + n, sizeof port - (size_t)n, "%u\n", metrics);
	if (file && file_replace(file, port, strlen(port), 0644, e) < 0)
		return -1;
	log_info("serving on port %u", front_port(f));
	if (metrics)
		log_info("metrics on port %u", metrics);
	return 0;
}

/* What `systemctl status` shows; told again when it has changed. */
static void tell_status(struct front *f, char told[sizeof ((struct err *)0)->text + 32])
{
	char text[sizeof ((struct err *)0)->text + 32];
	struct err why;

	if (front_ready(f, &why))
		snprintf(text, sizeof text, "serving on port %u", front_port(f));
	else
		snprintf(text, sizeof text, "not ready: %s %s", reason_id(why.code), why.text);
	if (strcmp(text, told) == 0)
		return;
	strcpy(told, text);
	service_ready(text);
}

static void reload(struct front *f)
{
	struct err e;

	service_reloading();
	if (front_reload(f, &e) < 0)
		log_err(&e, "reload: what was in force stays so");
	else
		log_info("configuration read again");
}

static enum cli_exit loop(struct front *f)
{
	char told[sizeof ((struct err *)0)->text + 32] = "";
	struct service_watchdog dog;
	int sig;

	service_watchdog_start(&dog);
	for (;;) {
		tell_status(f, told);
		sig = proc_signals_wait(front_failure_fd(f), service_watchdog(&dog, front_alive(f), front_tick_ms(f)));
		if (sig == SIGTERM || sig == SIGINT)
			return EXIT_DONE;
		if (sig == SIGHUP) {
			reload(f);
			told[0] = 0;	/* READY=1 ends RELOADING=1 */
		} else if (sig == 0 && front_failed(f)) {
			return EXIT_MISSING;
		}
		front_tick(f);
	}
}

enum cli_exit cmd_serve(const struct cli *c)
{
	enum cli_exit code;
	struct front *f;
	struct places where;
	struct err e;

	if (where_to_listen(&where, c, &e) < 0)
		return cli_fail(c, &e);
	proc_signals_block();
	spki_p256_by(p256_verify);
	f = front_start(cli_dir(c), &where.https, cli_get(c, "record"), &e);
	if (!f)
		return cli_fail(c, &e);
	if ((where.monitored && front_monitor(f, &where.metrics, &e) < 0) || tell_ready(c, f, &e) < 0) {
		code = cli_fail(c, &e);
	} else {
		code = loop(f);
		if (code != EXIT_DONE)
			log_error("handsel-signer is gone; this program ends and can be started again at once, nothing "
				  "is lost");
	}
	service_stopping();
	front_stop(f);
	return code;
}
