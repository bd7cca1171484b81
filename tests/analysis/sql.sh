#!/bin/sh
# SQL stands in the files that doc/architecture.md lists under "files with SQL", and in no other; what is SQLite's alone in those of lib/db*.
# Run by `make check`.
top=${srcdir:-$(dirname "$0")/../..}
cd "$top" || exit 1
failed=0
programs="lib factory-ca customer-node device-agent station"
text='"[^"]*\b(SELECT|INSERT|REPLACE INTO|UPDATE|DELETE|CREATE|ALTER|DROP|VALUES|PRAGMA|ATTACH|VACUUM|SAVEPOINT|ROLLBACK|COMMIT|BEGIN IMMEDIATE)\b'

wrong() {
	echo "sql.sh: $*" >&2
	failed=1
}

# Files of the programs with a match, one a line.
having() { grep -rlE --include='*.[ch]' -e "$1" $programs; }

listed=$(sed -n '/^| files with SQL/,/^$/p' doc/architecture.md | cut -d'|' -f2 | grep -o '`[^`]*`' | tr -d '`')
[ "$(echo "$listed" | wc -l)" -gt 5 ] || wrong "doc/architecture.md has no list of files with SQL"

found=$(having "$text|\bdb_stmt\(|\bsqlite3")
met=" "
set -f
for file in $found; do
	in=""
	for pattern in $listed; do
		case $file in $pattern) in=yes met="$met$pattern " ;; esac
	done
	[ -n "$in" ] || wrong "$file has SQL or SQLite; doc/architecture.md says where that belongs"
done
for pattern in $listed; do
	case $met in *" $pattern "*) ;; *) wrong "doc/architecture.md lists $pattern, where there is no SQL" ;; esac
done
for file in $(having '"[^"]*\bPRAGMA\b|\bsqlite3'); do
	case $file in lib/db*) ;; *) wrong "$file names what only SQLite has; lib/db.h is for that" ;; esac
done
[ $failed = 0 ] || exit 1
echo "sql.sh: $(echo "$found" | wc -l) files with SQL, all of them listed"
