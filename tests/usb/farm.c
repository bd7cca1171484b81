/* farm.c - virtual devices for tests and for the demo: see the usage in farm_options.c. */
#include <config.h>

#include "farm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem.h"

#ifdef __SANITIZE_ADDRESS__
/* umockdev's preload library comes before the sanitizer's: it passes everything on. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0:detect_leaks=0";
}
#endif

static void plug(struct farm_device *d, enum model_mode mode)
{
	host_lock();
	model_init(&d->model, mode);
	host_unlock();
	host_plug(d->usb);
	d->plugged = true;
}

static void unplug(struct farm_device *d)
{
	if (d->plugged)
		host_unplug(d->usb);
	d->plugged = false;
}

/* The device restarts with what is on its disk. A fault at a bulk transfer has happened once. */
static void power_cycle(struct farm_device *d)
{
	unplug(d);
	farm_stop_agent(d);
	if (d->restarts++ == RESTARTS_MAX) {
		fprintf(stderr, "farm: %s: restarted too often, it stays off\n", d->serial);
		return;
	}
	d->model.fault.cut_out = d->model.fault.vanish_out = MODEL_NEVER;
	if (farm_start_agent(d))
		plug(d, MODEL_AGENT);
}

/* DETACH: off the bus, on again as the agent that was loaded. */
static void leave(struct farm_device *d)
{
	unplug(d);
	if (!d->model.complete) {	/* nothing new to run: the boot loader, or again */
		plug(d, MODEL_DFU);
		return;
	}
	farm_save_image(d);
	if (farm_start_agent(d))
		plug(d, MODEL_AGENT);
}

static void look_at(struct farm_device *d)
{
	bool leaving, gone, cut, session;

	host_lock();
	leaving = d->model.leave;
	gone = d->model.gone;
	cut = d->model.cut;
	session = d->model.new_session;
	d->model.leave = false;
	host_unlock();
	if (!d->plugged)
		return;
	if (cut) {
		power_cycle(d);
	} else if (gone) {
		unplug(d);
		farm_stop_agent(d);
	} else if (leaving) {
		leave(d);
	} else if (session) {	/* a host that has started anew: the gadget's link does, too */
		farm_stop_agent(d);
		farm_start_agent(d);
		host_lock();
		d->model.outs = 0;
		d->model.new_session = false;
		host_unlock();
	}
}

/* true: COMMAND has ended, with *status. */
static bool reap(struct farm *f, pid_t command, int *status)
{
	int st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
		if (pid == command) {
			*status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
			return true;
		}
		for (int i = 0; i < f->n; i++) {
			struct farm_device *d = &f->device[i];

			if (d->pid != pid)
				continue;
			d->pid = 0;
			if (WIFEXITED(st) && WEXITSTATUS(st) == 0) {	/* done: the board goes its way */
				farm_stop_agent(d);
				unplug(d);
			} else {
				power_cycle(d);
			}
		}
	}
	return false;
}

static void plug_in(struct farm_device *d)
{
	d->held = false;
	if (!d->as_agent)
		plug(d, d->model.kind.runtime ? MODEL_RUNTIME : MODEL_DFU);
	else if (farm_start_agent(d))
		plug(d, MODEL_AGENT);
}

static void plug_in_next(struct farm *f)
{
	for (int i = 0; i < f->n; i++)
		if (f->device[i].held) {
			plug_in(&f->device[i]);
			return;
		}
}

static pid_t start_command(struct farm *f)
{
	const char *asan = getenv("ASAN_OPTIONS");
	pid_t pid = fork();
	sigset_t none;

	if (pid != 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setenv("ASAN_OPTIONS", mem_fmt("%s%sverify_asan_link_order=0", asan ? asan : "", asan ? ":" : ""), 1);
	execvp(f->command[0], f->command);
	fprintf(stderr, "farm: cannot run %s: %s\n", f->command[0], strerror(errno));
	_exit(127);
}

static int serve(struct farm *f, int wake, int signals)
{
	struct pollfd p[2] = { { .fd = wake, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	pid_t command = start_command(f);
	int status = 127;

	for (;;) {
		struct signalfd_siginfo info;
		uint64_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents && read(wake, &n, sizeof n) < 0)
			continue;
		if (p[1].revents && read(signals, &info, sizeof info) == sizeof info) {
			if (info.ssi_signo == SIGUSR1)
				plug_in_next(f);
			else if (info.ssi_signo != SIGCHLD)
				kill(command, (int)info.ssi_signo);	/* its end ends us */
		}
		/* What the command has done last comes before its end. */
		for (int i = 0; i < f->n; i++)
			look_at(&f->device[i]);
		if (reap(f, command, &status))
			break;
	}
	return status;
}

int main(int argc, char **argv)
{
	static struct farm f;
	int wake = eventfd(0, EFD_CLOEXEC), signals, status;
	sigset_t set;

	/* Before umockdev's first thread. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (farm_options(&f, argc, argv) < 0)
		return 2;
	if (wake < 0 || signals < 0 || host_start(wake) < 0)
		return 2;
	for (int i = 0; i < f.n; i++) {
		struct farm_device *d = &f.device[i];

		farm_folder(&f, d);
		d->usb = host_device(&d->model, i + 1);
		if (!d->held)
			plug_in(d);
	}
	status = serve(&f, wake, signals);
	for (int i = 0; i < f.n; i++)
		farm_end_agent(&f.device[i]);
	/* The mocked devices go with the process; its exit handlers would wait for hosts that are gone. */
	host_end();
	fflush(NULL);
	_exit(status);
}
