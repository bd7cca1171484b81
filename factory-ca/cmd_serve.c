#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "file.h"
#include "front.h"
#include "log.h"
#include "proc.h"

static int where_to_listen(struct endpoint *where, const struct cli *c, struct err *e)
{
	const char *given = cli_get(c, "listen");
	struct settings s;

	if (given)
		return endpoint_parse(where, given, e) < 0 ? err_prefix(e, "--listen") : 0;
	if (settings_load(&s, cli_dir(c), e) < 0)
		return -1;
	if (!*s.listen)
		return err_set(e, REASON_CONFIG, "%s/ca.yaml: 'listen' is missing; write for example listen: \"" LISTEN_DEFAULT "\"",
			       cli_dir(c));
	return endpoint_parse(where, s.listen, e);
}

static int tell_ready(const struct cli *c, const struct front *f, struct err *e)
{
	const char *file = cli_get(c, "ready-file");
	char port[16];

	snprintf(port, sizeof port, "%u\n", front_port(f));
	if (file && file_replace(file, port, strlen(port), 0644, e) < 0)
		return -1;
	log_info("serving on port %u", front_port(f));
	proc_notify("READY=1");
	return 0;
}

static void reload(struct front *f)
{
	struct err e;

	proc_notify("RELOADING=1");
	if (front_reload(f, &e) < 0)
		log_err(&e, "reload: what was in force stays so");
	else
		log_info("configuration read again");
	proc_notify("READY=1");
}

static enum cli_exit loop(struct front *f)
{
	int sig;

	for (;;) {
		sig = proc_signals_wait(front_failure_fd(f), front_tick_ms(f));
		if (sig == SIGTERM || sig == SIGINT)
			return EXIT_DONE;
		if (sig == SIGHUP)
			reload(f);
		else if (sig == 0 && front_failed(f))
			return EXIT_MISSING;
		front_tick(f);
	}
}

enum cli_exit cmd_serve(const struct cli *c)
{
	enum cli_exit code;
	struct front *f;
	struct endpoint where;
	struct err e;

	if (where_to_listen(&where, c, &e) < 0)
		return cli_fail(c, &e);
	proc_signals_block();
	f = front_start(cli_dir(c), &where, cli_get(c, "record"), &e);
	if (!f)
		return cli_fail(c, &e);
	if (tell_ready(c, f, &e) < 0) {
		code = cli_fail(c, &e);
	} else {
		code = loop(f);
		if (code != EXIT_DONE)
			log_error("handsel-signer is gone; this program ends and can be started again at once, nothing "
				  "is lost");
	}
	proc_notify("STOPPING=1");
	front_stop(f);
	return code;
}
