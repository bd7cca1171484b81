#include <config.h>

#include "http.h"

#include <string.h>
#include <strings.h>

#include "text.h"

static const char host_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
static const char v6_chars[] = "ABCDEFabcdef0123456789:.%_-ghijklmnopqrstuvwxyz";	/* with a zone such as %eth0 */
static const char path_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@%/";

/* Copies n characters, all of them allowed; -1 if none, too many or a foreign one. */
static int take(char *out, size_t size, const char *text, size_t n, const char *allowed)
{
	if (n == 0 || n >= size || strspn(text, allowed) < n)
		return -1;
	memcpy(out, text, n);
	out[n] = 0;
	return 0;
}

static int take_host(struct url *u, const char **text)
{
	const char *p = *text, *end;
	size_t n;

	if (*p == '[') {
		end = strchr(++p, ']');
		n = end ? (size_t)(end - p) : 0;
		*text = end ? end + 1 : p;
		return memchr(p, ':', n) ? take(u->host, sizeof u->host, p, n, v6_chars) : -1;
	}
	n = strcspn(p, ":/");
	*text = p + n;
	return take(u->host, sizeof u->host, p, n, host_chars);
}

static int take_port(struct url *u, const char **text)
{
	char digits[sizeof u->port];
	uint64_t port;
	size_t n;

	if (**text != ':') {
		strcpy(u->port, "443");
		return 0;
	}
	n = strcspn(++*text, "/");
	if (take(digits, sizeof digits, *text, n, "0123456789") || text_uint(&port, digits, 65535) || port == 0)
		return -1;
	memcpy(u->port, digits, n + 1);
	*text += n;
	return 0;
}

static int take_path(struct url *u, const char *text)
{
	size_t n = strlen(text);

	while (n > 1 && text[n - 1] == '/')
		n--;
	if (n == 0)
		return 0;
	return *text == '/' ? take(u->path, sizeof u->path, text, n, path_chars) : -1;
}

int url_parse(struct url *u, const char *text, struct err *e)
{
	const char *p = text, *scheme = strstr(text, "://");

	memset(u, 0, sizeof *u);
	if (scheme) {
		if (scheme - text != 5 || strncasecmp(text, "https", 5) != 0)
			return err_set(e, REASON_CONFIG, "address \"%.200s\": only https is spoken here; write https://HOST:PORT",
				       text);
		p = scheme + 3;
	}
	if (strpbrk(p, "?#"))
		return err_set(e, REASON_CONFIG, "address \"%.200s\": no query and no fragment is allowed; end it with the path",
			       text);
	if (take_host(u, &p))
		return err_set(e, REASON_CONFIG,
			       "address \"%.200s\": no valid host; write HOST:PORT, a name, 192.0.2.1 or [2001:db8::1]", text);
	if (take_port(u, &p))
		return err_set(e, REASON_CONFIG, "address \"%.200s\": the port is not a number from 1 to 65535%s", text,
			       strchr(p, ':') ? "; an IPv6 address stands in brackets, [2001:db8::1]:443" : "");
	if (take_path(u, p))
		return err_set(e, REASON_CONFIG, "address \"%.200s\": the path is too long or has a character that must be %%XX",
			       text);
	return 0;
}
