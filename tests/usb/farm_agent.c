#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "farm.h"
#include "mem.h"

#define LINK_FD 3
#define END_S 10	/* for an agent to hear the last words, with sanitizers on a busy machine */

static void must(int rc, const struct err *e)
{
	if (rc == 0)
		return;
	fprintf(stderr, "farm: %s\n", e->text);
	exit(99);
}

void farm_folder(const struct farm *f, struct farm_device *d)
{
	char path[FILE_PATH];
	struct buf text = {0};
	struct err e;

	must(file_join(d->folder, &e, f->dir, d->serial), &e);
	must(file_join(d->agent, &e, d->folder, "agent"), &e);
	must(file_join(d->store, &e, d->folder, "store"), &e);
	must(file_join(path, &e, d->store, "identity.yaml"), &e);
	must(file_mkdir(d->folder, &e), &e);
	must(file_mkdir(d->store, &e), &e);
	if (!file_exists(path)) {
		buf_fmt(&text, "version: 1\nmanufacturer: \"%s\"\nmodel: \"%s\"\nrevision: \"%s\"\nserial: \"%s\"\n",
			f->manufacturer, d->model_name[0] ? d->model_name : f->model, f->revision, d->real_serial);
		must(file_replace(path, text.data, text.len, 0600, &e), &e);
	}
	buf_free(&text);
}

void farm_save_image(struct farm_device *d)
{
	struct err e;

	must(file_replace(d->agent, d->model.image, d->model.image_len, 0700, &e), &e);
}

static void exec_agent(const struct farm_device *d, int link, int report, bool first)
{
	const char *argv[] = { d->agent, "--dir", d->store, "factory", "--fd", "3", NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The device is another machine: it knows nothing of the mocked /sys. */
	unsetenv("LD_PRELOAD");
	unsetenv("UMOCKDEV_DIR");
	unsetenv("HANDSEL_FAULT");
	if (first && d->env)
		putenv(d->env);
	if (d->fault_points) {
		setenv("HANDSEL_FAULT", d->fault_points, 1);
		setenv("HANDSEL_FAULT_LOG", mem_fmt("%s/fired", d->folder), 1);
		setenv("HANDSEL_FAULT_LIST", mem_fmt("%s/passed", d->folder), 1);
	}
	if (report == LINK_FD)
		report = fcntl(report, F_DUPFD_CLOEXEC, LINK_FD + 1);
	if (link == LINK_FD)
		fcntl(link, F_SETFD, 0);
	else
		dup2(link, LINK_FD);
	for (int fd = LINK_FD + 1; fd < 1024; fd++)
		if (fd != report)
			close(fd);
	execv(d->agent, (char *const *)(uintptr_t)argv);
	if (write(report, &errno, sizeof errno) < 0)
		_exit(126);
	_exit(127);
}

bool farm_start_agent(struct farm_device *d)
{
	int pair[2], report[2], why = 0;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(report, O_CLOEXEC) < 0) {
		perror("farm");
		exit(99);
	}
	d->pid = fork();
	if (d->pid == 0)
		exec_agent(d, pair[1], report[1], d->restarts == 0);
	close(pair[1]);
	close(report[1]);
	do
		n = d->pid > 0 ? read(report[0], &why, sizeof why) : -1;
	while (n < 0 && errno == EINTR);
	close(report[0]);
	host_lock();
	d->model.fd = pair[0];
	host_unlock();
	if (n == 0)
		return true;
	fprintf(stderr, "farm: %s: what was loaded does not run: %s\n", d->serial, strerror(why));
	farm_stop_agent(d);
	return false;
}

void farm_stop_agent(struct farm_device *d)
{
	if (d->pid > 0) {
		kill(d->pid, SIGKILL);
		waitpid(d->pid, NULL, 0);
	}
	d->pid = 0;
	host_lock();
	if (d->model.fd >= 0)
		close(d->model.fd);
	d->model.fd = -1;
	host_unlock();
}

void farm_end_agent(struct farm_device *d)
{
	const struct timespec limit = { END_S, 0 };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (d->pid > 0 && shutdown(d->model.fd, SHUT_WR) == 0)
		while (waitpid(d->pid, NULL, WNOHANG) == 0)
			if (sigtimedwait(&child, NULL, &limit) < 0 && errno == EAGAIN) {
				farm_stop_agent(d);
				return;
			}
	d->pid = 0;
	farm_stop_agent(d);
}
