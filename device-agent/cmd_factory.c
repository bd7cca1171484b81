#include <config.h>

#include "cmd.h"
#include "factory.h"
#include "ffs.h"
#include "limits.h"
#include "log.h"
#include "text.h"

#define FD_MAX 1023

/* A station that begins anew, or the next one after it: the gadget stays for all of them until one has said that it
 * is done. */
static int serve_gadget(struct store *s, struct ffs *f, struct err *e)
{
	struct link *l;

	while ((l = ffs_session(f, e))) {
		if (factory_serve(s, l, e) == 0)
			return 0;
		log_err(e, "the station's session has ended");
	}
	return -1;
}

static int serve_usb(const struct cli *c, struct store *s, struct err *e)
{
	struct ffs *f = ffs_open(cli_get(c, "ffs"), e);
	int rc;

	if (!f)
		return -1;
	rc = cli_get(c, "gadget") ? ffs_bind(cli_get(c, "gadget"), cli_get(c, "udc"), e) : 0;
	if (rc == 0)
		rc = serve_gadget(s, f, e);
	ffs_close(f);
	return rc;
}

static int read_options(const struct cli *c, uint64_t *fd, struct err *e)
{
	const char *text = cli_get(c, "fd");

	if (!cli_get(c, "ffs") == !text)
		return err_set(e, REASON_CONFIG,
			       "the device link is needed: --ffs with the folder of FunctionFS, or --fd with a descriptor");
	if (text && text_uint(fd, text, FD_MAX) < 0)
		return err_set(e, REASON_CONFIG, "--fd %s: a number from 0 to %d is needed", text, FD_MAX);
	if (!cli_get(c, "gadget") != !cli_get(c, "udc") || (cli_get(c, "gadget") && text))
		return err_set(e, REASON_CONFIG, "--gadget and --udc belong together, and to --ffs");
	return 0;
}

enum cli_exit cmd_factory(const struct cli *c)
{
	uint64_t fd = 0;
	struct store *s;
	struct err e;
	int rc;

	if (read_options(c, &fd, &e) < 0)
		return cli_fail(c, &e);
	s = store_open(cli_dir(c), true, &e);
	if (!s)
		return cli_fail(c, &e);
	floor_apply(s);
	rc = cli_get(c, "ffs") ? serve_usb(c, s, &e) : factory_serve(s, link_sock_new((int)fd), &e);
	store_close(s);
	return rc == 0 ? EXIT_DONE : cli_fail(c, &e);
}
