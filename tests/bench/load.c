#include <config.h>

#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "db_record.h"
#include "mem.h"

#define PIDS_MAX 64

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- CPU seconds of processes: their clocks, since /proc/PID/stat counts in ticks ---- */
static int read_stat(pid_t pid, pid_t *parent, double *seconds)
{
	char path[64], text[1024], *p;
	struct timespec t;
	clockid_t clock;
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	p = strrchr(text, ')');		/* the name before it may hold anything */
	if (!p || sscanf(p + 1, " %*c %d", parent) != 1 || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return -1;
	*seconds = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	return 0;
}

static double process_cpu(pid_t pid)
{
	struct dirent *d;
	DIR *dir = opendir("/proc");
	double sum, part;
	pid_t parent;

	if (read_stat(pid, &parent, &sum))
		die("process %d is gone", (int)pid);
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && read_stat(atoi(d->d_name), &parent, &part) == 0 && parent == pid)
			sum += part;
	if (dir)
		closedir(dir);
	return sum;
}

double load_cpu(const struct options *o)
{
	double sum = 0;

	for (size_t i = 0; i < o->n_processes; i++)
		sum += process_cpu(o->process[i].pid);
	return sum;
}

void load_told(const char *what, const uint8_t sha256[SHA256_LEN])
{
	char line[100], hex[SHA256_HEX];

	text_hex(hex, sha256, SHA256_LEN);
	for (char *p = hex; *p; p++)
		*p = (char)toupper((unsigned char)*p);	/* as SQLite's hex() has it */
	snprintf(line, sizeof line, "%s %s", what, hex);
	db_record_note(line);
}

/* ---- threads ---- */
struct job {
	const struct options *o;
	uint64_t n;
	load_step *step;
	void *arg;
	_Atomic uint64_t next, units, failed;
	float *ms;
};

struct worker {
	struct job *job;
	unsigned number;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job *j = w->job;
	uint64_t i;

	while ((i = atomic_fetch_add(&j->next, 1)) < j->n) {
		double begin = now();
		uint64_t units = j->step(j->arg, w->number, i);

		j->ms[i] = (float)((now() - begin) * 1000);
		atomic_fetch_add(&j->units, units);
		if (units == 0)
			atomic_fetch_add(&j->failed, 1);
	}
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void load_run(struct load *l, const struct options *o, uint64_t n, load_step *step, void *arg)
{
	struct job j = { .o = o, .n = n, .step = step, .arg = arg, .ms = mem_new(n, sizeof *j.ms) };
	struct worker *w = mem_new(o->threads, sizeof *w);
	struct raw_beside *beside = raw_begin();
	double begin;

	memset(l, 0, sizeof *l);
	for (size_t i = 0; i < o->n_processes; i++)
		l->process_cpu[i] = -process_cpu(o->process[i].pid);
	begin = now();
	for (unsigned i = 0; i < o->threads; i++) {
		w[i] = (struct worker){ .job = &j, .number = i };
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			die("cannot start a thread");
	}
	for (unsigned i = 0; i < o->threads; i++)
		pthread_join(w[i].thread, NULL);
	l->wall = now() - begin;
	for (size_t i = 0; i < o->n_processes; i++) {
		l->process_cpu[i] += process_cpu(o->process[i].pid);
		l->cpu += l->process_cpu[i];
	}
	raw_end(beside, &l->raw);
	l->steps = n;
	l->units = atomic_load(&j.units);
	l->failed = atomic_load(&j.failed);
	qsort(j.ms, n, sizeof *j.ms, by_value);
	l->p50_ms = n ? (double)j.ms[n / 2] : 0;
	l->p99_ms = n ? (double)j.ms[n * 99 / 100] : 0;
	free(j.ms);
	free(w);
}

static void print_json(const struct load *l, const struct options *o, const char *unit, double rate, double ratio,
		       double own_ratio, const char *ratio_to)
{
	printf("{\"v\":1,\"type\":\"figure\",\"bench\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"ratio\":%.3f,\"own_ratio\":%.3f,\"ratio_to\":\"%s\","
	       "\"parallel\":%llu,\"operations\":%llu,\"failed\":%llu,\"wall_s\":%.3f,\"cpu_s\":{", o->name, rate, unit,
	       ratio, own_ratio, ratio_to, (unsigned long long)o->threads, (unsigned long long)l->units,
	       (unsigned long long)l->failed, l->wall);
	for (size_t i = 0; i < o->n_processes; i++)
		printf("%s\"%s\":%.2f", i ? "," : "", o->process[i].name, l->process_cpu[i]);
	printf("},\"p50_ms\":%.1f,\"p99_ms\":%.1f}\n", l->p50_ms, l->p99_ms);
}

void load_print(const struct load *l, const struct options *o, const char *unit, struct ideal ideal, const char *ratio_to)
{
	double rate = l->cpu > 0 ? (double)l->units / l->cpu : 0, ratio = rate * ideal.gnutls, own_ratio = rate * ideal.own;

	if (o->json) {
		print_json(l, o, unit, rate, ratio, own_ratio, ratio_to);
		return;
	}
	printf("%-12s %8.1f %s; %.2f of GnuTLS alone, %.2f of the arithmetic as it is done: %s\n", o->name, rate, unit, ratio, own_ratio,
	       ratio_to);
	printf("%-12s %llu done by %llu at a time, %llu failed, %.1f s wall (%.0f/s), 50 %% within %.1f ms, "
	       "99 %% within %.1f ms; CPU seconds:", "", (unsigned long long)l->units, (unsigned long long)o->threads,
	       (unsigned long long)l->failed, l->wall, (double)l->units / l->wall, l->p50_ms, l->p99_ms);
	for (size_t i = 0; i < o->n_processes; i++)
		printf(" %s %.2f", o->process[i].name, l->process_cpu[i]);
	printf("\n");
}
