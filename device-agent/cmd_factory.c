#include <config.h>

#include "cmd.h"
#include "factory.h"
#include "limits.h"
#include "text.h"

#define FD_MAX 1023

enum cli_exit cmd_factory(const struct cli *c)
{
	const char *text = cli_get(c, "fd");
	struct err e;
	struct store *s;
	uint64_t fd;
	int rc;

	if (!text || text_uint(&fd, text, FD_MAX) < 0) {
		err_set(&e, REASON_CONFIG, "give the descriptor of the device link with --fd N");
		return cli_fail(c, &e);
	}
	s = store_open(cli_dir(c), true, &e);
	if (!s)
		return cli_fail(c, &e);
	floor_apply(s);
	rc = factory_serve(s, link_sock_new((int)fd), &e);
	store_close(s);
	return rc == 0 ? EXIT_DONE : cli_fail(c, &e);
}
