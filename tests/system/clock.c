/* clock.c - LD_PRELOAD: the clock of a program stands as many seconds beside the machine's as the file $CLOCK_OFFSET says, at every
 * moment; the program may have shut itself off from files by then, so it is mapped at the start. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile char *offset;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CLOCK_OFFSET");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd >= 0 ? mmap(NULL, 32, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		close(fd);
	if (at != MAP_FAILED)
		offset = at;
}

time_t time(time_t *t)
{
	struct timespec now;
	char text[32] = "0";

	clock_gettime(CLOCK_REALTIME, &now);
	for (int i = 0; offset && i < 31; i++)
		text[i] = offset[i];
	now.tv_sec += atoll(text);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
