# texts.sh - what doc/transactions.md names is there: files and their functions, unit tests by name, parts of ./check, macros of models.
# And no assertion of a script stands where `set -e` does not look: after "!", and left of the last "&&".
set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$TOP" || exit 1
bad=0 names=0

wrong() {
	echo "$*"
	bad=1
}

# ---- the table ----
table=doc/transactions.md
parts=" $(bash check --list | tr '\n' ' ')"

# words CELL : each name in backticks, and each list in parentheses, a line each.
words() { grep -oE '`[^`]*`|\([^()]*\)' <<<"$1"; }

# code RULE CELL : `folder/file.c` (`function`, ...), `file.c` of the folder before, `function`.
code() {
	local word name folder="" file=""
	while read -r word; do
		for name in $(grep -oE '`[^`]*`' <<<"$word" | tr -d '`'); do
			names=$((names + 1))
			case $name in
			*/*.[ch]) file=$name folder=${name%/*} ;;
			*.[ch]) file=$folder/$name ;;
			*) grep -qsw -- "$name" "$file" || wrong "$table: $1: $file has no $name" ;;
			esac
			[ -f "$file" ] || wrong "$table: $1: there is no file ${file:-before $name}"
		done
	done < <(words "$2")
}

# macro MODEL-FILES... : reads lists of macros, WITHOUT_ or without it.
macros() {
	local macro
	for macro in $(tr -c 'A-Z_' ' '); do
		names=$((names + 1))
		grep -qw "WITHOUT_${macro#WITHOUT_}\|$macro" "$@" || wrong "$table: no macro $macro in $*"
	done
}

# tests RULE CELL : parts of ./check (which may say more in parentheses), and `test_unit` (name of a test, another).
tests() {
	local word name last=""
	[ -n "${2// /}" ] || wrong "$table: $1 names no test"
	while read -r word; do
		case $word in
		'`test_'*)
			last=${word//\`/} names=$((names + 1))
			[ -f "tests/unit/$last.c" ] || wrong "$table: $1: there is no tests/unit/$last.c"
			;;
		'`'*)
			last=${word//\`/} names=$((names + 1))
			[[ $parts == *" $last "* ]] || wrong "$table: $1: ./check has no part $last"
			;;
		'(WITHOUT_'*) macros tests/model/*.pml <<<"$word" ;;
		*)
			[[ $last == test_* ]] || continue
			while read -r name; do
				names=$((names + 1))
				grep -qsF "{ \"$name\", test_" "tests/unit/$last.c" || wrong "$table: $1: $last has no test \"$name\""
			done < <(tr -d '()`' <<<"$word" | sed 's/, \(until it has passed\)/,\1/; s/, /\n/g; s/,until/, until/')
			;;
		esac
	done < <(words "$2")
}

rules=0
while IFS='|' read -r _ rule text code tests message _; do
	rules=$((rules + 1)) rule=${rule// /}
	[ "$rule" = "R$rules" ] || wrong "$table: $rule stands where R$rules is expected"
	[ -n "${text// /}" ] && [ -n "${message// /}" ] || wrong "$table: $rule has an empty cell"
	# "same" is what the row before has
	case $code in *' same '*) ;; *) code "$rule" "$code" ;; esac
	case $tests in *' same '*) ;; *) tests "$rule" "$tests" ;; esac
done < <(grep '^| R[0-9]' "$table" | sed 's/ | /|/g')
[ "$rules" -ge 100 ] || wrong "$table: only $rules rules were found: its form has changed"

model=""
while IFS='|' read -r _ name list _; do
	name=$(tr -d ' `' <<<"$name")
	model=${name:-$model}
	[ -f "tests/model/$model.pml" ] || wrong "$table: there is no model $model"
	macros "tests/model/$model.pml" < <(sed 's/(`-D\([A-Z]*\)`)/\1/; s/R[0-9]\+//g' <<<"$list")
done < <(sed -n '/^| model |/,/^$/p' "$table" | sed '1,2d; /^$/d')
for name in $(grep -oE '`tests/[^` ]*`' "$table" | tr -d '`'); do
	[ -e "$name" ] || wrong "$table: there is no $name"
done
[ "$names" -ge 500 ] || wrong "$table: only $names names were found: its form has changed"

# ---- assertions ----
# A whole command may be many lines. What ends a function or a subshell is its status, and whoever calls that looks at it.
lint() {
	awk '
		/^[ \t]*#/ { next }
		{
			if (text == "") first = FNR
			text = text " " $0
			if ($0 ~ /(\\|&&|\|\||\|)$/) { sub(/\\$/, "", text); next }
			if (held != "" && $0 !~ /^[ \t]*[})]/) print held
			held = ""
			if (text !~ /\|\|/ && (text ~ /^[ \t]*! / || text ~ /^[ \t]*(\[|\[\[|test|grep|cmp|diff) .* && /) &&
			    text !~ /&& *({ .*)?(exit|die|return|break|continue)/)
				held = FILENAME ":" first ": set -e does not see it fail; write || die, or a command a line:" text
			text = ""
		}
		END { if (held != "") print held }' "$1"
}
scripts=0
for script in $(grep -rlE '^set -[a-z]*e' --include='*.sh' tests) tests/system/lib.sh tests/interop/lib.sh; do
	scripts=$((scripts + 1))
	found=$(lint "$script")
	[ -z "$found" ] || wrong "$found"
done
[ "$scripts" -ge 15 ] || wrong "only $scripts scripts with set -e were found"

[ $bad = 0 ] || exit 1
echo "texts: $rules rules with $names names that are there; $scripts scripts whose assertions can fail"
