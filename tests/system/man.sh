#!/bin/sh
# Every command and option that --help lists is in the man page, nothing else is, and the pages are clean for mandoc.
# Run by `make check`; by hand: BUILD=folder-with-the-programs tests/system/man.sh
top=${srcdir:-$(dirname "$0")/../..}
build=${BUILD:-.}
failed=0
checked=0

wrong() {
	echo "man.sh: $*" >&2
	failed=1
}

# The lines of a page from a heading to the next one.
section() {
	awk -v want="^\\\\.$2( (Ar|Op) .*)?\$" '/^\.S[hs]/ { inside = $0 ~ want; next } inside' "$1"
}

# The commands that a page describes.
headings() {
	awk '/^\.Sh/ { inside = $2 == "COMMANDS" } inside && sub(/^\.Ss /, "") { sub(/ (Ar|Op) .*/, ""); print }' "$1"
}

# "name VALUE" of each option in a help text below the heading $1.
help_options() {
	sed -n "/^$1:/,/^\$/s/^  --\([a-z-]*\) \([^ .]*\).*/\1 \2/p"
}

# Both lists must be the same: $1 where, $2 those of --help, $3 the text of the page.
compare() {
	echo "$2" | while read -r name value; do
		[ -z "$name" ] || echo "$3" | grep -q "^\.It Fl -$name${value:+ Ar $value}\( , h\)\{0,1\}\$" ||
			echo "$1: --$name${value:+ $value} is not in the page"
	done
	echo "$3" | sed -n 's/^\.It Fl -\([a-z-]*\).*/\1/p' | while read -r name; do
		echo "$2" | grep -q "^$name\( \|\$\)" || echo "$1: the page has --$name and --help has not"
	done
}

check_program() {
	program=$1 page=$2
	help=$("$build/$program" --help) || wrong "$program --help fails"
	commands=$(echo "$help" | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p')
	[ -n "$commands" ] || wrong "$program --help lists no command"
	found=$(compare "$program" "$(echo "$help" | help_options 'Common options')" "$(section "$page" 'Sh OPTIONS')")
	[ -z "$found" ] || wrong "$found"
	[ "$(echo "$commands" | sort)" = "$(headings "$page" | sort)" ] ||
		wrong "$program: --help lists [$(echo $commands)], the page [$(echo $(headings "$page"))]"
	while read -r words; do
		# shellcheck disable=SC2086 # the words of a command are arguments of their own
		options=$("$build/$program" $words --help | help_options Options)
		found=$(compare "$program $words" "$options" "$(section "$page" "Ss $words")")
		[ -z "$found" ] || wrong "$found"
		checked=$((checked + $(echo "$options" | grep -c .) + 1))
	done <<-EOF
		$commands
	EOF
	for heading in 'EXIT STATUS' EXAMPLES; do
		[ -n "$(section "$page" "Sh $heading")" ] || wrong "$page has no $heading"
	done
}

for page in "$top"/doc/man/*.1; do
	program=$(basename "$page" .1)
	if [ -x "$build/$program" ]; then
		check_program "$program" "$page"
	else
		wrong "$page: no such program in $build"
	fi
done
for program in "$build"/handsel-*; do
	[ ! -f "$program" ] || [ ! -x "$program" ] || [ -f "$top/doc/man/$(basename "$program").1" ] ||
		wrong "$(basename "$program") has no man page"
done
[ "$checked" -gt 30 ] || wrong "only $checked commands and options were found: the form of --help has changed"
[ $failed = 0 ] || exit 1
if ! command -v mandoc >/dev/null; then
	echo "man.sh: mandoc is not installed, the pages were not linted" >&2
	exit 77
fi
mandoc -Tlint -Wwarning "$top"/doc/man/*.1 || exit 1
echo "man.sh: $checked commands and options, all in the pages"
