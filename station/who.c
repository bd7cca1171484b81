#include <config.h>

#include "who.h"

#include <pwd.h>
#include <unistd.h>

#include "text.h"

int who_read(struct who *w, const struct cli *c, struct err *e)
{
	const char *reason = cli_get(c, "reason"), *operator = cli_get(c, "operator");
	const struct passwd *user = operator ? NULL : getpwuid(getuid());

	if (user)
		operator = user->pw_name;
	if (!reason || !text_is_name(reason, WHO_REASON_MAX))
		return err_set(e, REASON_CONFIG, "--reason TEXT is needed: printable ASCII, at most %d characters", WHO_REASON_MAX);
	if (!operator || !text_is_token(operator, LIMIT_NAME))
		return err_set(e, REASON_CONFIG, "--operator NAME is needed: letters, digits, \".\", \"_\" and \"-\"");
	text_copy(w->reason, sizeof w->reason, reason);
	return text_copy(w->operator, sizeof w->operator, operator);
}
